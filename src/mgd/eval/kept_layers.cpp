#include "mgd/eval/kept_layers.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>

#include "mgd/core/error.h"
#include "mgd/model/text_names.h"
#include "mgd/model/text_options.h"

namespace mgd {

namespace {

// The number after "encoder.layer." in the tensor's name, and where it stands; -1: the tensor is of no layer.
struct NumberPlace {
  std::int64_t number = -1;
  std::size_t begin = 0, end = 0;
};

NumberPlace number_after(const std::string& name, const std::string& layers) {
  const std::string wanted = layers + ".";
  for (std::size_t at = name.find(wanted); at != std::string::npos; at = name.find(wanted, at + 1)) {
    if (at > 0 && name[at - 1] != '.') continue;
    const std::size_t begin = at + wanted.size();
    NumberPlace place{.number = -1, .begin = begin, .end = begin};
    const auto [stop, error] = std::from_chars(name.data() + begin, name.data() + name.size(), place.number);
    if (error != std::errc{}) continue;
    place.end = static_cast<std::size_t>(stop - name.data());
    return place;
  }
  return {};
}

std::string stack_layers(const StackNames& stack) {
  const std::string path = stack.path;
  return path.empty() ? stack.layers : path + "." + stack.layers;
}

void renumber(TensorMap& tensors, const std::string& layers, const std::vector<std::int64_t>& kept) {
  TensorMap renamed;
  for (auto& [name, tensor] : tensors) {
    const NumberPlace place = number_after(name, layers);
    if (place.number < 0) {
      renamed.emplace(name, tensor);
      continue;
    }
    const auto found = std::find(kept.begin(), kept.end(), place.number);
    if (found == kept.end()) continue;
    renamed.emplace(
        name.substr(0, place.begin) + std::to_string(found - kept.begin()) + name.substr(place.end), tensor);
  }
  tensors = std::move(renamed);
}

void require_layer(std::int64_t layer, std::int64_t count, const char* stack) {
  if (layer >= count)
    fail(ExitCode::usage, "student.layers: got {}, and the {} has the layers 0 ... {}", layer, stack,
         count - 1);
}

// Of ModernBERT: what is read first is normed already, so the first layer has no norm before its attention. A
// later one cannot do without its own, and transformers opens no model whose first layer has one.
void require_first_layer(const TextConfig& config, const std::vector<std::int64_t>& kept) {
  const std::vector<LayerOptions> all = encoder_options(config).layers;
  if (all.front().attention_norm == all[static_cast<std::size_t>(kept.front())].attention_norm) return;
  fail(ExitCode::usage,
       "student.layers: got {} first, and only layer 0 can be first in a {}: it is the one without a norm "
       "before "
       "its attention; write layers: [0, {}]",
       kept.front(), config.model_type, fmt::join(kept, ", "));
}

// Of ModernBERT: which layers see everything is a matter of the place, and so it is afterwards.
std::vector<bool> global_of(const std::vector<bool>& all, std::size_t count) {
  if (all.empty()) return {};
  std::size_t every = 1;
  while (every < all.size() && !all[every]) ++every;
  std::vector<bool> global(count, false);
  for (std::size_t i = 0; i < count; i += every) global[i] = true;
  return global;
}

}  // namespace

void keep_layers(TextFolder& content, const std::vector<std::int64_t>& layers,
                 std::vector<std::string>& notes) {
  if (layers.empty()) return;
  TextConfig& config = content.config;
  const auto count = static_cast<std::int64_t>(layers.size());
  const TextNames& names = text_names(config.model_type);
  require_layer(layers.back(), config.layers, config.encoder_decoder() ? "encoder" : "model");
  if (config.encoder_decoder()) require_layer(layers.back(), config.decoder_layers, "decoder");
  require_first_layer(config, layers);
  notes.push_back(fmt::format("keeps the layers {} of {}", fmt::join(layers, ", "), config.layers));
  const std::vector<bool> global = global_of(config.global_layer, layers.size());
  for (std::size_t i = 0; i < global.size(); ++i) {
    const auto from = static_cast<std::size_t>(layers[i]);
    if (global[i] != config.global_layer[from])
      notes.push_back(fmt::format("layer {} saw {} and, as layer {}, sees {}", from,
                                  global[i] ? "a window" : "everything", i,
                                  global[i] ? "everything" : "a window"));
  }
  renumber(content.tensors, stack_layers(names.encoder), layers);
  if (config.encoder_decoder()) {
    renumber(content.tensors, stack_layers(names.decoder), layers);
    config.decoder_layers = count;
  }
  config.layers = count;
  config.global_layer = global;
}

}  // namespace mgd
