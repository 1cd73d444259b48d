#include "mgd/io/text_folder.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/publish.h"
#include "mgd/format/generation_settings.h"
#include "mgd/format/json_field.h"
#include "mgd/format/safetensors.h"
#include "mgd/io/static_folder.h"
#include "mgd/text/tokenizer_files.h"

namespace mgd {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::uint64_t kMostJsonBytes = 100'000'000;
// Beside those of the tokenizer.
constexpr const char* kSentenceFiles[] = {"sentence_bert_config.json", "config_sentence_transformers.json"};
constexpr const char* kGeneration = "generation_config.json";
constexpr std::string_view kLibrary = "sentence_transformers.";
constexpr std::string_view kModule =
    "sentence_transformers.models.";  // as it is written: all versions know it

json read_object(const fs::path& path) {
  const std::string text = read_file(path, kMostJsonBytes);
  refuse_stand_in(text, path.string());
  return parse_json_object(text, path.string());
}

// PEFT keeps what was learned beside a model, and not the model.
void refuse_adapter(const fs::path& folder) {
  const fs::path file = folder / "adapter_config.json";
  if (!fs::exists(file) || fs::exists(folder / "config.json")) return;
  const json adapter = read_object(file);
  const auto text = [&](const char* key, const char* otherwise) {
    return adapter.contains(key) && adapter[key].is_string() ? adapter[key].get<std::string>() : otherwise;
  };
  fail(ExitCode::bad_data,
       "{}: it is a {} adapter for {}, not a whole model; merge the two where peft is installed, and take "
       "the result:\n"
       "  python3 -c \"import sys; from peft import {} as A; from transformers import AutoTokenizer as T; "
       "m = A.from_pretrained(sys.argv[1]).merge_and_unload(); m.save_pretrained(sys.argv[2]); "
       "T.from_pretrained(m.config._name_or_path).save_pretrained(sys.argv[2])\" {} merged",
       folder.string(), printable(text("peft_type", "LoRA or other PEFT")),
       printable(text("base_model_name_or_path", "a model")),
       text("task_type", "") == "SEQ_CLS" ? "AutoPeftModelForSequenceClassification"
                                          : "AutoPeftModelForCausalLM",
       folder.string());
}

void read_pooling(const fs::path& path, TextConfig& config) {
  const json object = read_object(path);
  constexpr std::pair<const char*, const char*> kKnown[] = {{"pooling_mode_cls_token", "cls"},
                                                            {"pooling_mode_mean_tokens", "mean"},
                                                            {"pooling_mode_lasttoken", "last"}};
  std::vector<std::string> chosen;
  if (object.contains("include_prompt") && object["include_prompt"] == false) config.pools_prompt = false;
  if (const JsonField mode(object, path.string(), "pooling_mode"); mode.is_there()) {
    const std::string name = mode.text();
    config.pooling = name == "lasttoken" ? "last" : name;
    if (config.pooling != "cls" && config.pooling != "mean" && config.pooling != "last")
      mode.fail_as(
          fmt::format("got '{}', which is not supported; known: cls, mean, lasttoken", printable(name)));
    return;
  }
  for (const auto& [key, value] : object.items()) {
    if (!key.starts_with("pooling_mode_") || !JsonField(object, path.string(), key).boolean()) continue;
    std::string mode;
    for (const auto& [known, name] : kKnown)
      if (key == known) mode = name;
    if (mode.empty())
      JsonField(object, path.string(), key)
          .fail_as("is not supported; known: cls_token, mean_tokens, lasttoken");
    chosen.push_back(mode);
  }
  if (chosen.size() != 1)
    fail(ExitCode::bad_data, "{}: got {} pooling modes, expected one", path.string(), chosen.size());
  config.pooling = chosen[0];
}

// sentence-transformers: what comes after the Transformer.
void read_modules(const fs::path& folder, TextConfig& config) {
  const fs::path path = folder / "modules.json";
  const json modules = json::parse(read_file(path, kMostJsonBytes), nullptr, /*allow_exceptions=*/false);
  if (!modules.is_array()) fail(ExitCode::bad_data, "{}: expected a list of modules", path.string());
  config.normalize = false;
  for (const json& module : modules) {
    const std::string type = JsonField(module, path.string(), "type").text();
    const fs::path at = folder / JsonField(module, path.string(), "path").text();
    // Its versions keep the same classes in packages of other names.
    const std::string name = type.starts_with(kLibrary) ? type.substr(type.rfind('.') + 1) : type;
    if (name == "Transformer") continue;
    if (name == "Pooling")
      read_pooling(at / "config.json", config);
    else if (name == "Normalize")
      config.normalize = true;
    else
      fail(ExitCode::bad_data, "{}: module '{}' is not supported; known: Transformer, Pooling, Normalize",
           path.string(), printable(type));
  }
}

// The ids that a decoder starts and ends with, for whoever generates with other libraries.
std::string generation_file(const TextConfig& config) {
  ordered_json object = ordered_json::object();
  const auto put = [&](const char* key, std::int64_t id) {
    if (id >= 0) object[key] = id;
  };
  put("bos_token_id", config.bos_id);
  put("pad_token_id", config.pad_id);
  put("eos_token_id", config.eos_id);
  if (!config.other_eos_ids.empty()) {
    std::vector<std::int64_t> all = {config.eos_id};
    all.insert(all.end(), config.other_eos_ids.begin(), config.other_eos_ids.end());
    object["eos_token_id"] = all;
  }
  if (config.encoder_decoder()) {
    put("decoder_start_token_id", config.decoder_start_id);
    put("forced_eos_token_id", config.eos_id);
  }
  return object.dump(2) + "\n";
}

void add_sentence_files(DirectoryPublisher& publisher, const TextConfig& config) {
  ordered_json modules = ordered_json::array();
  const auto module = [&](const char* type, const std::string& path) {
    const std::size_t i = modules.size();
    modules.push_back(
        {{"idx", i}, {"name", fmt::format("{}", i)}, {"path", path}, {"type", std::string(kModule) + type}});
  };
  module("Transformer", "");
  module("Pooling", "1_Pooling");
  if (config.normalize) module("Normalize", "2_Normalize");
  publisher.add("modules.json", modules.dump(2) + "\n");
  const ordered_json pooling = {{"word_embedding_dimension", config.hidden_size},
                                {"pooling_mode_cls_token", config.pooling == "cls"},
                                {"pooling_mode_mean_tokens", config.pooling == "mean"},
                                {"pooling_mode_max_tokens", false},
                                {"pooling_mode_mean_sqrt_len_tokens", false},
                                {"pooling_mode_lasttoken", config.pooling == "last"},
                                {"include_prompt", config.pools_prompt}};
  publisher.add("1_Pooling/config.json", pooling.dump(2) + "\n");
}

}  // namespace

namespace {

void read_companions(const fs::path& root, const fs::path& inner, TextFolder& loaded) {
  const auto read = [&](const char* name) {
    for (const fs::path& place : {inner, root})
      if (fs::exists(place / name)) loaded.tokenizer[name] = read_file(place / name, kMostJsonBytes);
  };
  for (const char* name : kTokenizerFiles) read(name);
  for (const char* name : kSentenceFiles) read(name);
  read(kGeneration);
}

// Which of the companions belong to a model with this head.
bool belongs(const std::string& name, TextHead head) {
  if (name == kGeneration) return head == TextHead::causal_lm;
  for (const char* sentence : kSentenceFiles)
    if (name == sentence) return head == TextHead::encoder;
  return true;
}

}  // namespace

bool is_text_folder(const std::string& folder) {
  const fs::path config = fs::path(folder) / "config.json";
  return (fs::exists(config) && read_object(config).contains("model_type")) ||
         fs::exists(fs::path(folder) / "modules.json") ||
         fs::exists(fs::path(folder) / "adapter_config.json") ||
         transformer_folder(folder) != fs::path(folder);
}

TextFolder load_text_folder(const std::string& folder) {
  const fs::path root = folder;
  if (!fs::is_directory(root)) fail(ExitCode::missing_input, "{}: no such model folder", folder);
  if (is_static_folder(folder)) return load_static_folder(folder);
  refuse_adapter(root);
  TextFolder loaded;
  TextConfig sentence;
  const bool modules = fs::exists(root / "modules.json");
  if (modules) read_modules(root, sentence);
  const fs::path inner = transformer_folder(root);
  const fs::path weights = weights_of_folder(inner), config = inner / "config.json";
  const std::string text = read_file(config, kMostJsonBytes);
  refuse_stand_in(text, config.string());
  loaded.config = parse_text_config(text, config.string());
  if (modules) {
    loaded.config.head = TextHead::encoder;  // whatever class wrote the weights
    loaded.config.names_class = true;
    loaded.config.pooling = sentence.pooling;
    loaded.config.normalize = sentence.normalize;
    loaded.config.pools_prompt = sentence.pools_prompt;
  }
  loaded.tensors = load_tensors(weights.string());
  read_companions(root, inner, loaded);
  if (loaded.config.decoder() && !loaded.tokenizer.contains(kGeneration))
    loaded.tokenizer[kGeneration] = generation_settings_of_config(text, config.string());
  return loaded;
}

void save_text_folder(const std::string& folder, const TextFolder& content) {
  DirectoryPublisher publisher(folder);
  const bool is_static = content.config.is_static();
  if (is_static)
    add_static_files(publisher, content.config);
  else
    publisher.add("config.json", text_config_json(content.config));
  publisher.add("model.safetensors", tensors_to_safetensors(content.tensors));
  for (const auto& [name, bytes] : content.tokenizer)
    if (belongs(name, content.config.head)) publisher.add(name, bytes);
  if (content.config.head == TextHead::causal_lm && !content.tokenizer.contains(kGeneration))
    publisher.add(kGeneration, generation_file(content.config));
  if (content.config.head == TextHead::encoder && !is_static) add_sentence_files(publisher, content.config);
  publisher.publish(/*manifest=*/false);
}

}  // namespace mgd
