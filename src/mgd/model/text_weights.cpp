// What years of checkpoints call the same tensors.
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <functional>
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

// Buffers of old versions, and copies of tied weights.
bool carries_nothing(const std::string& name, const TextModel& model) {
  for (const char* buffer : {"position_ids", ".attn.bias", ".attn.masked_bias", "token_type_ids"})
    if (name.ends_with(buffer)) return true;
  for (const char* copy : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"})
    if (name.ends_with(copy)) return true;
  const HeadNames& lm = text_names(model.config().model_type).lm;
  return model.config().tie_embeddings && lm.out != nullptr && below(name, lm.out);
}

// Heads and poolers that a model of this architecture may have, and this one does not.
bool is_another_head(const std::string& name, const TextModel& model) {
  const TextNames& names = text_names(model.config().model_type);
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

namespace {

// What tools of training put in front of all names ("module.", "_orig_mod.", "model."): the beginning that
// all of them share and without which most are known; the shortest of those.
std::string wrapper_of(const Tensors& tensors, const std::function<bool(const std::string&)>& is_known) {
  const auto num_known = [&](std::size_t skipped) {
    return std::count_if(tensors.begin(), tensors.end(),
                         [&](const auto& entry) { return is_known(entry.first.substr(skipped)); });
  };
  std::string best, shared;
  auto most = num_known(0);
  while (!tensors.empty()) {
    const std::string& first = tensors.begin()->first;
    const std::size_t dot = first.find('.', shared.size());
    if (dot == std::string::npos) break;
    shared = first.substr(0, dot + 1);
    if (!std::all_of(tensors.begin(), tensors.end(),
                     [&](const auto& entry) { return entry.first.starts_with(shared); }))
      break;
    if (const auto known = num_known(shared.size()); known > most) {
      most = known;
      best = shared;
    }
  }
  return best;
}

// A tied table that the file holds under the name of one of its copies only, as safetensors' save_model
// writes it.
void take_from_copies(const TextModel& model, const std::set<std::string>& known, Tensors& tensors) {
  const TextNames& names = text_names(model.config().model_type);
  const std::string dot = ".", prefix = model.config().head == TextHead::encoder ? "" : names.prefix + dot;
  const auto take = [&](const std::string& wanted, const std::string& copy) {
    if (!known.contains(wanted) || tensors.contains(wanted) || !tensors.contains(copy)) return;
    tensors.emplace(wanted, tensors.at(copy));
  };
  const bool has_out = names.lm.out != nullptr && model.config().tie_embeddings;
  if (names.shared != nullptr) {
    const std::string table = prefix + names.shared + ".weight";
    for (const char* copy : {"encoder.embed_tokens.weight", "decoder.embed_tokens.weight"})
      take(table, prefix + copy);
    if (has_out) take(table, names.lm.out + std::string(".weight"));
  } else if (has_out) {
    take(prefix + names.encoder.tokens + ".weight", names.lm.out + std::string(".weight"));
  }
  if (names.lm.bias != nullptr && names.lm.out != nullptr)
    take(names.lm.bias, names.lm.out + std::string(".bias"));
}

// transformers saves no bias of zeros with a body alone, and makes it where a folder lacks it.
void add_zero_bias(const std::vector<NamedTensor>& state, Tensors& tensors) {
  for (const NamedTensor& entry : state)
    if (entry.name == "final_logits_bias") tensors.emplace(entry.name, at::zeros_like(entry.tensor));
}

}  // namespace

std::optional<TextHead> head_of_tensors(const std::string& model_type, const Tensors& tensors) {
  const TextNames& names = text_names(model_type);
  const auto holds = [&](const char* part, const char* leaf) {
    if (part == nullptr) return false;
    const std::string wanted = part + std::string(leaf);
    return std::any_of(tensors.begin(), tensors.end(), [&](const auto& entry) {
      return entry.first == wanted || entry.first.ends_with("." + wanted);
    });
  };
  const auto is = [&](const HeadNames& head) {
    return holds(head.out, ".weight") && (head.dense == nullptr || holds(head.dense, ".weight"));
  };
  const TextHead language =
      default_text_config(model_type).decoder() ? TextHead::causal_lm : TextHead::masked_lm;
  if (is(names.sequence)) return TextHead::sequence_classification;
  if (is(names.token)) return TextHead::token_classification;
  if (holds(names.lm.dense, ".weight") || holds(names.lm.out, ".weight") || holds(names.lm.bias, ""))
    return language;
  return std::nullopt;
}

bool TextModel::of_head(const std::string& tensor) const {
  if (config_.head == TextHead::encoder) return false;
  return !below(tensor, text_names(config_.model_type).prefix) || tensor.find("pooler") != std::string::npos;
}

AdaptedWeights adapt_weights(const TextModel& model, Tensors tensors, bool fresh_head) {
  if (model.config().is_static()) return {.tensors = std::move(tensors)};
  const bool bare = model.config().head == TextHead::encoder;
  const std::string prefix = text_names(model.config().model_type).prefix;
  std::set<std::string> known;
  const auto state = model.state();
  for (const NamedTensor& entry : state) known.insert(entry.name);

  AdaptedWeights adapted;
  const auto now_of = [&](const std::string& name) {
    return prefixed_name(modern_name(name), prefix, bare, known);
  };
  adapted.wrapper =
      wrapper_of(tensors, [&](const std::string& name) { return known.contains(now_of(name)); });
  Tensors named;
  for (auto& [name, tensor] : tensors)
    named.emplace(now_of(name.substr(adapted.wrapper.size())), std::move(tensor));
  take_from_copies(model, known, named);
  if (!fresh_head) add_zero_bias(state, named);
  for (auto& [name, tensor] : named) {
    if (known.contains(name) || (!carries_nothing(name, model) && !is_another_head(name, model)))
      adapted.tensors.emplace(name, std::move(tensor));
    else if (!carries_nothing(name, model))
      adapted.unused.push_back(name);
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
