#include "mgd/format/static_config.h"

#include "mgd/core/error.h"
#include "mgd/format/json_field.h"

namespace mgd {

namespace {

constexpr std::int64_t kHabit = 512;           // tokens; of a file that does not say
constexpr std::int64_t kNoLimit = 10'000'000;  // the most that any option of a length takes

TextConfig bare_static_config() {
  TextConfig config;
  config.model_type = kStaticModel;
  config.head = TextHead::encoder;
  config.layers = config.heads = config.intermediate_size = config.type_vocab_size = 0;
  config.hidden_dropout = config.attention_dropout = 0;
  config.pooling = "mean";
  return config;
}

}  // namespace

TextConfig parse_static_config(std::string_view text, const std::string& source) {
  nlohmann::json object = parse_json_object(text, source);
  const auto field = [&](const char* key) { return JsonField(object, source, key); };
  if (field("model_type").is_there() && field("model_type").text() != kStaticModel)
    field("model_type")
        .fail_as(fmt::format("got '{}', expected {}", printable(field("model_type").text()), kStaticModel));
  TextConfig config = bare_static_config();
  config.normalize = field("normalize").is_there() && field("normalize").boolean();
  config.max_positions = object.contains("max_length") ? kNoLimit : kHabit;
  if (field("max_length").is_there()) config.max_positions = field("max_length").integer(1, kNoLimit);
  // A classifier that the package trained is this and a network behind it.
  if (field("head_config").is_there())
    field("head_config").fail_as("a head behind the vectors is not supported; only the vectors are");
  for (const char* known : {"model_type", "architectures", "normalize", "max_length", "hidden_dim",
                            "seq_length", "embedding_dtype", "vocabulary_quantization"})
    object.erase(known);
  config.table.made = object.dump();
  return config;
}

TextConfig static_config_of_modules(bool normalize) {
  TextConfig config = bare_static_config();
  config.normalize = normalize;
  config.max_positions = kNoLimit;
  config.table.counts_unknown = true;
  return config;
}

std::string static_config_json(const TextConfig& config) {
  using Json = nlohmann::ordered_json;
  Json object{{"model_type", kStaticModel}, {"architectures", {"StaticModel"}}};
  if (!config.table.made.empty()) object.update(Json::parse(config.table.made));
  object["hidden_dim"] = config.hidden_size;
  object["seq_length"] = 1'000'000;  // of the package: it has no limit of its own
  object["normalize"] = config.normalize;
  object["max_length"] = config.max_positions < kNoLimit ? Json(config.max_positions) : Json(nullptr);
  object["embedding_dtype"] = "float32";
  if (config.table.mapped) object["vocabulary_quantization"] = config.table.rows;
  return object.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
