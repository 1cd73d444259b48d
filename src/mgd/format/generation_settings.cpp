#include "mgd/format/generation_settings.h"

#include "mgd/core/error.h"
#include "mgd/format/json_field.h"

namespace mgd {

namespace {

using nlohmann::json;

constexpr std::int64_t kMostTokens = 10'000'000;

// Ids that every folder states are no news to a person.
constexpr const char* kIds[] = {"bos_token_id", "pad_token_id", "eos_token_id", "decoder_start_token_id"};
constexpr const char* kHonoured[] = {"do_sample",
                                     "temperature",
                                     "top_k",
                                     "top_p",
                                     "min_p",
                                     "repetition_penalty",
                                     "num_beams",
                                     "length_penalty",
                                     "early_stopping",
                                     "max_length",
                                     "max_new_tokens",
                                     "min_length",
                                     "min_new_tokens",
                                     "no_repeat_ngram_size",
                                     "forced_bos_token_id",
                                     "forced_eos_token_id",
                                     "suppress_tokens",
                                     "begin_suppress_tokens",
                                     "bad_words_ids"};

// What would change the text and is not written here, with the value that changes nothing; null always does.
std::vector<std::pair<const char*, json>> unsupported() {
  return {{"typical_p", 1.0},
          {"epsilon_cutoff", 0.0},
          {"eta_cutoff", 0.0},
          {"num_beam_groups", 1},
          {"diversity_penalty", 0.0},
          {"penalty_alpha", 0.0},
          {"encoder_no_repeat_ngram_size", 0},
          {"encoder_repetition_penalty", 1.0},
          {"exponential_decay_length_penalty", nullptr},
          {"sequence_bias", nullptr},
          {"guidance_scale", 1.0},
          {"forced_decoder_ids", nullptr},
          {"renormalize_logits", false},
          {"force_words_ids", nullptr},
          {"constraints", nullptr},
          {"num_return_sequences", 1},
          {"stop_strings", nullptr},
          {"max_time", nullptr},
          {"watermarking_config", nullptr},
          {"dola_layers", nullptr},
          {"token_healing", false}};
}

class Reader {
 public:
  Reader(const json& object, std::string source) : object_(object), source_(std::move(source)) {}
  JsonField field(const char* key) const { return {object_, source_, key}; }

  void count(const char* key, std::int64_t& value, std::int64_t least = 0) const {
    if (field(key).is_there()) value = field(key).integer(least, kMostTokens);
  }
  void number(const char* key, double& value, double least, double most) const {
    const JsonField at = field(key);
    if (!at.is_there()) return;
    if (!at.value().is_number()) at.fail_as(fmt::format("got {}, expected a number", at.value().dump()));
    value = at.value().get<double>();
    if (!(value >= least && value <= most))
      at.fail_as(fmt::format("got {:g}, expected {:g} ... {:g}", value, least, most));
  }
  // An id, or a list of them.
  void ids(const char* key, std::vector<std::int64_t>& value) const {
    const JsonField at = field(key);
    if (!at.is_there()) return;
    value = at.value().is_array() ? at.integers(0, kMostTokens) : std::vector{at.integer(-1, kMostTokens)};
    std::erase(value, -1);
  }

 private:
  const json& object_;
  std::string source_;
};

std::string early_stopping(const JsonField& field) {
  if (!field.is_there()) return "no";
  if (field.value().is_string() && field.text() == "never") return "never";
  return field.boolean() ? "yes" : "no";
}

std::vector<std::vector<std::int64_t>> token_runs(const JsonField& field) {
  std::vector<std::vector<std::int64_t>> runs;
  if (!field.is_there()) return runs;
  if (!field.value().is_array()) field.fail_as("expected a list of lists of token ids");
  for (const json& run : field.value()) {
    if (!run.is_array() || run.empty()) field.fail_as("expected a list of lists of token ids");
    runs.emplace_back();
    for (const json& id : run) {
      if (!id.is_number_unsigned()) field.fail_as(fmt::format("got {}, expected a token id", id.dump()));
      runs.back().push_back(id.get<std::int64_t>());
    }
  }
  return runs;
}

bool means_nothing(const json& value, const json& neutral) {
  if (value.is_null()) return true;
  if (value.is_number() && neutral.is_number()) return value.get<double>() == neutral.get<double>();
  return value == neutral || (value.is_array() && value.empty());
}

}  // namespace

GenerationSettings parse_generation_settings(std::string_view text, const std::string& source) {
  const json object = parse_json_object(text, source);
  const Reader reader(object, source);
  GenerationSettings settings;
  GenerationRules& rules = settings.rules;
  if (reader.field("do_sample").is_there()) settings.sample = reader.field("do_sample").boolean();
  reader.number("temperature", settings.temperature, 0, 1e6);
  reader.count("top_k", settings.top_k);
  reader.number("top_p", settings.top_p, 0, 1);
  reader.number("min_p", settings.min_p, 0, 1);
  reader.number("repetition_penalty", settings.repetition_penalty, 1e-30, 1e30);
  reader.number("length_penalty", settings.length_penalty, -10, 10);
  reader.count("num_beams", settings.num_beams, 1);
  reader.count("max_length", settings.max_length, 1);
  reader.count("max_new_tokens", settings.max_new_tokens, 1);
  reader.count("min_length", rules.min_length);
  reader.count("min_new_tokens", rules.min_new_tokens);
  reader.count("no_repeat_ngram_size", rules.no_repeat_ngram);
  settings.early_stopping = early_stopping(reader.field("early_stopping"));
  reader.ids("eos_token_id", rules.ends);
  reader.ids("forced_eos_token_id", rules.forced_ends);
  if (reader.field("forced_bos_token_id").is_there())
    rules.forced_begin = reader.field("forced_bos_token_id").integer(-1, kMostTokens);
  reader.ids("suppress_tokens", rules.suppressed);
  reader.ids("begin_suppress_tokens", rules.suppressed_at_begin);
  rules.bad_words = token_runs(reader.field("bad_words_ids"));
  for (const char* key : kHonoured)
    if (object.contains(key) && !object[key].is_null())
      settings.stated.push_back(fmt::format("{} {}", key, printable(object[key].dump())));
  for (const auto& [key, neutral] : unsupported())
    if (object.contains(key) && !means_nothing(object[key], neutral))
      settings.left_out.push_back(fmt::format("{} {}", key, printable(object[key].dump())));
  return settings;
}

std::string generation_settings_of_config(std::string_view text, const std::string& source) {
  const json config = parse_json_object(text, source);
  json settings = json::object();
  const json type = config.contains("model_type") ? config["model_type"] : json();
  const auto take = [&](const char* key) {
    if (config.contains(key) && !config[key].is_null()) settings[key] = config[key];
  };
  for (const char* key : kHonoured) take(key);
  for (const char* key : kIds) take(key);
  for (const auto& [key, neutral] : unsupported())
    if (config.contains(key) && !means_nothing(config[key], neutral)) settings[key] = config[key];
  if (type == "bart")
    for (const char* key : {"eos_token_id", "forced_eos_token_id", "decoder_start_token_id"})
      if (!config.contains(key)) settings[key] = 2;
  if (type == "gpt2" && !config.contains("eos_token_id")) settings["eos_token_id"] = 50256;
  return settings.dump(2) + "\n";
}

}  // namespace mgd
