// What years of checkpoints call the same tensors.
#include <set>

#include "mgd/model/text_model.h"
#include "mgd/model/text_names.h"

namespace mgd {

namespace {

using Tensors = std::map<std::string, at::Tensor>;

bool below(const std::string& name, const std::string& prefix) {
  return name.size() > prefix.size() && name.starts_with(prefix) && name[prefix.size()] == '.';
}

// TensorFlow's names of a layer norm.
std::string modern_name(std::string name) {
  const auto replace = [&](std::string_view old, std::string_view now) {
    if (name.ends_with(old)) name = name.substr(0, name.size() - old.size()).append(now);
  };
  replace("LayerNorm.gamma", "LayerNorm.weight");
  replace("LayerNorm.beta", "LayerNorm.bias");
  return name;
}

// A base model's file has no prefix, a model with a head has one.
std::string prefixed_name(const std::string& name, const std::string& prefix, bool bare,
                          const std::set<std::string>& known) {
  if (known.contains(name)) return name;
  if (bare && below(name, prefix)) return name.substr(prefix.size() + 1);
  if (!bare && known.contains(prefix + "." + name)) return prefix + "." + name;
  return name;
}

// Tensors that carry nothing: buffers of old versions, copies of tied weights, and parts that this model does
// not have.
bool carries_nothing(const std::string& name, const TextModel& model) {
  const TextNames& names = text_names(model.config().model_type);
  for (const char* buffer : {"position_ids", ".attn.bias", ".attn.masked_bias", "token_type_ids"})
    if (name.ends_with(buffer)) return true;
  for (const char* copy : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"})
    if (name.ends_with(copy)) return true;
  if (names.pooler != nullptr && name.find(names.pooler) != std::string::npos) return true;
  if (below(name, "cls.seq_relationship")) return true;
  std::vector<HeadNames> heads = {names.lm, names.sequence, names.token};
  for (const HeadNames& head : heads) {
    for (const char* part : {head.dense, head.norm, head.out})
      if (part != nullptr && below(name, part)) return true;
    if (head.bias != nullptr && name == head.bias) return true;
  }
  return false;
}

}  // namespace

bool TextModel::of_head(const std::string& tensor) const {
  if (config_.head == TextHead::encoder) return false;
  return !below(tensor, text_names(config_.model_type).prefix) || tensor.find("pooler") != std::string::npos;
}

AdaptedWeights adapt_weights(const TextModel& model, Tensors tensors, bool fresh_head) {
  const bool bare = model.config().head == TextHead::encoder;
  const std::string prefix = text_names(model.config().model_type).prefix;
  std::set<std::string> known;
  const auto state = model.state();
  for (const NamedTensor& entry : state) known.insert(entry.name);

  AdaptedWeights adapted;
  for (auto& [name, tensor] : tensors) {
    const std::string now = prefixed_name(modern_name(name), prefix, bare, known);
    if (known.contains(now) || !carries_nothing(now, model)) adapted.tensors.emplace(now, std::move(tensor));
  }
  if (!fresh_head) return adapted;
  for (const NamedTensor& entry : state) {
    if (!model.of_head(entry.name) || adapted.tensors.contains(entry.name)) continue;
    adapted.fresh.push_back(entry.name);
    adapted.tensors.emplace(entry.name, entry.tensor.detach());
  }
  return adapted;
}

}  // namespace mgd
