#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/format/json_field.h"
#include "mgd/format/text_config.h"
#include "mgd/format/text_config_keys.h"

namespace mgd {

namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr const char* kActivations[] = {"gelu", "gelu_new", "gelu_pytorch_tanh", "relu", "silu"};

// What changes the arithmetic of a layer and is not written here: the value must be the one that means "no".
struct Unsupported {
  const char* key;
  json only;
};
std::vector<Unsupported> unsupported() {
  return {{"is_decoder", false},
          {"add_cross_attention", false},
          {"position_embedding_type", "absolute"},
          {"scale_attn_weights", true},
          {"scale_attn_by_inverse_layer_idx", false},
          {"normalize_before", false},
          {"add_final_layer_norm", false},
          {"pruned_heads", json::object()},
          {"rope_scaling", nullptr},
          {"quantization_config", nullptr}};
}

// Reads the members of a TextConfig from an object, or leaves them as they are.
class Reader {
 public:
  Reader(const json& object, std::string source) : object_(object), source_(std::move(source)) {}
  JsonField field(const char* key) const { return {object_, source_, key}; }
  bool is_null(const char* key) const { return object_.contains(key) && object_[key].is_null(); }

  void size(const char* key, std::int64_t& value, std::int64_t least = 1, std::int64_t most = 10'000'000) {
    if (key != nullptr && field(key).is_there()) value = field(key).integer(least, most);
  }
  void id(const char* key, std::int64_t& value) {
    if (!object_.contains(key)) return;
    value = field(key).is_there() ? field(key).integer(-1, 10'000'000) : -1;
  }
  // One id or a list of them: the first, and the others.
  void ids(const char* key, std::int64_t& first, std::vector<std::int64_t>& others) {
    if (!field(key).is_there() || !field(key).value().is_array()) return id(key, first);
    others = field(key).integers(0, 10'000'000);
    if (others.empty()) field(key).fail_as("got an empty list, expected a token id or some");
    first = others.front();
    others.erase(others.begin());
  }
  void number(const char* key, double& value) {
    if (key != nullptr && field(key).is_there()) value = field(key).number(0, 1e9);
  }
  void fraction(const char* key, double& value) {
    if (key != nullptr && field(key).is_there()) value = field(key).fraction();
  }
  void flag(const char* key, bool& value) {
    if (key != nullptr && field(key).is_there()) value = field(key).boolean();
  }
  void choice(const char* key, std::string& value, const std::vector<std::string>& known) {
    if (!field(key).is_there()) return;
    value = field(key).text();
    if (std::find(known.begin(), known.end(), value) == known.end())
      field(key).fail_as(fmt::format("got '{}'{}", printable(value), suggestion(value, known)));
  }

 private:
  const json& object_;
  std::string source_;
};

// The same declaration, written.
class Writer {
 public:
  explicit Writer(ordered_json& object) : object_(object) {}
  void size(const char* key, std::int64_t& value, std::int64_t = 1, std::int64_t = 0) { put(key, value); }
  void id(const char* key, std::int64_t& value) {
    object_[key] = value < 0 ? ordered_json(nullptr) : ordered_json(value);
  }
  void ids(const char* key, std::int64_t& first, std::vector<std::int64_t>& others) {
    if (others.empty()) return id(key, first);
    std::vector<std::int64_t> all = {first};
    all.insert(all.end(), others.begin(), others.end());
    object_[key] = all;
  }
  void number(const char* key, double& value) { put(key, value); }
  void fraction(const char* key, double& value) {
    if (value >= 0) put(key, value);
  }
  void flag(const char* key, bool& value) { put(key, value); }
  void choice(const char* key, std::string& value, const std::vector<std::string>&) { put(key, value); }

 private:
  template <class T>
  void put(const char* key, const T& value) {
    if (key != nullptr) object_[key] = value;
  }
  ordered_json& object_;
};

template <class Visitor>
void visit_modern(TextConfig& config, Visitor& v, const std::vector<std::string>& activations) {
  v.flag("attention_bias", config.attention_bias);
  v.flag("mlp_bias", config.mlp_bias);
  v.flag("norm_bias", config.norm_bias);
  v.flag("classifier_bias", config.classifier_bias);
  v.flag("decoder_bias", config.decoder_bias);
  v.choice("classifier_activation", config.classifier_activation, activations);
  v.choice("classifier_pooling", config.classifier_pooling, {"cls", "mean"});
  v.number("global_rope_theta", config.global_rope_theta);
  v.number("local_rope_theta", config.local_rope_theta);
  v.id("cls_token_id", config.cls_id);
  v.id("sep_token_id", config.sep_id);
}

template <class Visitor>
void visit_config(TextConfig& config, const TextKeys& keys, Visitor& v) {
  const std::vector<std::string> activations(std::begin(kActivations), std::end(kActivations));
  v.size("vocab_size", config.vocab_size);
  v.size(keys.hidden, config.hidden_size, 1, 1'000'000);
  v.size(keys.layers, config.layers, 1, 10'000);
  v.size(keys.heads, config.heads, 1, 10'000);
  v.size(keys.intermediate, config.intermediate_size);
  v.size(keys.positions, config.max_positions);
  v.size(keys.types, config.type_vocab_size);
  v.size(keys.decoder_layers, config.decoder_layers, 1, 10'000);
  v.size(keys.decoder_heads, config.decoder_heads, 1, 10'000);
  v.size(keys.decoder_intermediate, config.decoder_intermediate_size);
  v.choice(keys.activation, config.activation, activations);
  v.number(keys.eps, config.norm_eps);
  v.number(keys.init, config.initializer_range);
  v.fraction(keys.hidden_dropout, config.hidden_dropout);
  v.fraction(keys.attention_dropout, config.attention_dropout);
  v.fraction(keys.activation_dropout, config.activation_dropout);
  v.fraction(keys.embedding_dropout, config.embedding_dropout);
  v.fraction(keys.classifier_dropout, config.classifier_dropout);
  v.flag(keys.scale_embedding, config.scale_embedding);
  v.flag("tie_word_embeddings", config.tie_embeddings);
  v.id("pad_token_id", config.pad_id);
  v.id("bos_token_id", config.bos_id);
  v.ids("eos_token_id", config.eos_id, config.other_eos_ids);
  if (config.encoder_decoder()) v.id("decoder_start_token_id", config.decoder_start_id);
  if (keys.modern) visit_modern(config, v, activations);
}

// Layers that see everything and layers with a window: transformers 4 counts (every third), transformers 5
// lists them and keeps the angles of both by kind.
void read_layer_kinds(TextConfig& config, const Reader& reader) {
  const auto layers = static_cast<std::size_t>(config.layers);
  std::int64_t every = 3, local = 128;
  if (reader.field("global_attn_every_n_layers").is_there())
    every = reader.field("global_attn_every_n_layers").integer(1, 10'000);
  if (reader.field("local_attention").is_there())
    local = reader.field("local_attention").integer(2, 10'000'000);
  config.local_window = local / 2;
  if (reader.is_null("local_rope_theta")) config.local_rope_theta = config.global_rope_theta;
  config.global_layer.assign(layers, false);
  for (std::size_t i = 0; i < layers; i += static_cast<std::size_t>(every)) config.global_layer[i] = true;

  if (const JsonField kinds = reader.field("layer_types"); kinds.is_there()) {
    const std::vector<std::string> names = kinds.texts();
    if (names.size() != layers) kinds.fail_as(fmt::format("{} entries for {} layers", names.size(), layers));
    for (std::size_t i = 0; i < layers; ++i) {
      if (names[i] != "full_attention" && names[i] != "sliding_attention")
        kinds.fail_as(
            fmt::format("got '{}', expected full_attention or sliding_attention", printable(names[i])));
      config.global_layer[i] = names[i] == "full_attention";
    }
  }
  const std::array<std::pair<const char*, double*>, 2> angles = {
      {{"full_attention", &config.global_rope_theta}, {"sliding_attention", &config.local_rope_theta}}};
  for (const auto& [kind, theta] : angles) {
    const std::string at = std::string("rope_parameters.") + kind;
    const JsonField type = reader.field((at + ".rope_type").c_str());
    if (type.is_there() && type.text() != "default")
      type.fail_as(fmt::format("got '{}', expected default", printable(type.text())));
    const JsonField given = reader.field((at + ".rope_theta").c_str());
    if (given.is_there()) *theta = given.number(0, 1e9);
  }
}

void write_layer_kinds(const TextConfig& config, ordered_json& object) {
  const auto global = [&](std::size_t i) { return config.global_layer.empty() || config.global_layer[i]; };
  // The period: where the second layer that sees everything stands.
  const auto layers = static_cast<std::size_t>(config.layers);
  std::size_t every = 1;
  while (every < layers && !global(every)) ++every;
  object["global_attn_every_n_layers"] = every;
  object["local_attention"] = 2 * config.local_window;
  ordered_json kinds = ordered_json::array();
  for (std::size_t i = 0; i < layers; ++i)
    kinds.push_back(global(i) ? "full_attention" : "sliding_attention");
  object["layer_types"] = kinds;
}

void read_labels(TextConfig& config, const Reader& reader) {
  const JsonField labels = reader.field("id2label");
  if (!labels.is_there()) {
    if (reader.field("num_labels").is_there())
      config.num_labels = reader.field("num_labels").integer(1, 10'000'000);
    return;
  }
  if (!labels.value().is_object() || labels.value().empty())
    labels.fail_as(fmt::format("got {}, expected an object of names by number", shown(labels.value())));
  config.label_names.clear();
  for (std::size_t i = 0; i < labels.value().size(); ++i) {
    const std::string key = fmt::format("{}", i);
    if (!labels.value().contains(key))
      labels.fail_as(fmt::format("no label {} among {}", i, labels.value().size()));
    config.label_names.push_back(JsonField(labels.value(), "id2label", key).text());
  }
  config.num_labels = static_cast<std::int64_t>(config.label_names.size());
}

// BertForPreTraining is a masked LM with a second head that nothing of today uses.
TextHead read_head(const Reader& reader, const TextArchitecture& architecture) {
  const JsonField field = reader.field("architectures");
  if (!field.is_there()) return TextHead::encoder;
  const std::vector<std::string> names = field.texts();
  if (names.empty()) return TextHead::encoder;
  if (names[0] == "BertForPreTraining") return TextHead::masked_lm;
  std::vector<std::string> known;
  for (const TextHead head : {TextHead::encoder, TextHead::masked_lm, TextHead::causal_lm,
                              TextHead::sequence_classification, TextHead::token_classification}) {
    const char* name = architecture.classes.of(head);
    if (name != nullptr && names[0] == name) return head;
    if (name != nullptr) known.emplace_back(name);
  }
  field.fail_as(fmt::format("got '{}'{}", printable(names[0]), suggestion(names[0], known)));
}

}  // namespace

TextConfig parse_text_config(std::string_view text, const std::string& source) {
  const json object = parse_json_object(text, source);
  Reader reader(object, source);
  if (!reader.field("model_type").is_there())
    reader.field("model_type").fail_as("is missing; not the config of a text model?");
  const TextArchitecture& architecture = text_architecture(reader.field("model_type").text(), source);
  TextConfig config = architecture.defaults();
  config.head = read_head(reader, architecture);
  config.names_class =
      reader.field("architectures").is_there() && !reader.field("architectures").texts().empty();
  for (const Unsupported& one : unsupported()) {
    const JsonField field = reader.field(one.key);
    if (field.is_there() && field.value() != one.only)
      field.fail_as(
          fmt::format("got {}, which is not supported; only {} is", shown(field.value()), one.only.dump()));
  }
  visit_config(config, architecture.keys, reader);
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;  // GPT-2
  if (architecture.keys.modern) read_layer_kinds(config, reader);
  read_labels(config, reader);
  if (reader.field("problem_type").is_there()) config.problem_type = reader.field("problem_type").text();
  check_text_config(config, source, /*from_file=*/true);
  return config;
}

std::string text_config_json(const TextConfig& given) {
  TextConfig config = given;  // the visitor takes members that it could change
  const TextArchitecture& architecture = text_architecture(config.model_type, "");
  ordered_json object;
  object["architectures"] = {architecture.classes.of(config.head)};
  object["model_type"] = config.model_type;
  Writer writer(object);
  visit_config(config, architecture.keys, writer);
  if (architecture.keys.modern) write_layer_kinds(config, object);
  if (config.encoder_decoder()) object["is_encoder_decoder"] = true;
  ordered_json names = ordered_json::object(), ids = ordered_json::object();
  for (std::int64_t i = 0; i < config.num_labels; ++i) {
    const std::string name = config.label_names.empty() ? fmt::format("LABEL_{}", i)
                                                        : config.label_names[static_cast<std::size_t>(i)];
    names[fmt::format("{}", i)] = name;
    ids[name] = i;
  }
  object["id2label"] = names;
  object["label2id"] = ids;
  if (!config.problem_type.empty()) object["problem_type"] = config.problem_type;
  object["dtype"] = "float32";
  object["torch_dtype"] = "float32";
  object["transformers_version"] = "4.57.6";
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
