#include <ATen/TensorOperators.h>
#include <ATen/ops/max.h>
#include <ATen/ops/min.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/model/transformer.h"
#include "mgd/ops/argument.h"

namespace mgd {

namespace {

// On the CPU only: elsewhere the look at a value would hold up the device.
void check_range(const at::Tensor& values, std::int64_t end, const std::string& what, const char* limit) {
  if (!values.is_cpu() || values.numel() == 0) return;
  const auto least = values.min().item<std::int64_t>(), most = values.max().item<std::int64_t>();
  if (least < 0 || most >= end)
    fail(ExitCode::usage, "{}: got {}, expected 0 to {} ({})", what, least < 0 ? least : most, end - 1,
         limit);
}

void check_tokens(const PackedTokens& tokens) {
  const std::vector<std::int64_t>& offsets = tokens.offsets;
  if (offsets.empty() || offsets.front() != 0 || !std::is_sorted(offsets.begin(), offsets.end()))
    fail(ExitCode::usage, "tokens: offsets: got {} numbers, expected where each sequence begins: 0, ..., N",
         offsets.size());
  const auto check = [&](const at::Tensor& t, const char* what) {
    if (!t.defined() || t.dim() != 1 || t.size(0) != offsets.back() || t.scalar_type() != at::kLong)
      refuse("tokens", what, t, fmt::format("int64 ({}), as the offsets say", offsets.back()));
  };
  check(tokens.ids, "ids");
  if (tokens.positions.defined()) check(tokens.positions, "positions");
  if (tokens.type_ids.defined()) check(tokens.type_ids, "type_ids");
}

}  // namespace

TransformerStack::TransformerStack(const StackNames& names, const StackOptions& options, Embedding* shared,
                                   RandomStream& random)
    : options_(options), embeddings_node_(names.embeddings), tokens_(shared) {
  const auto table = [&](const char* name, std::int64_t rows, std::int64_t padding) {
    return &make_child<Embedding>(name, rows, options.hidden, options.deviation, padding, random);
  };
  if (shared == nullptr) tokens_ = table(names.tokens, options.vocab_size, options.padding);
  if (names.positions != nullptr) positions_ = table(names.positions, options.positions, -1);
  if (names.types != nullptr && options.types > 0) types_ = table(names.types, options.types, -1);
  const auto norm = [&](const char* name) {
    return name == nullptr
               ? nullptr
               : &make_child<LayerNorm>(name, options.hidden, options.norm_eps, options.norm_bias);
  };
  embedding_norm_ = norm(names.embedding_norm);
  if (options.embedding_dropout > 0)
    embedding_dropout_ = &make_child<Dropout>(embeddings_node_ + ".dropout", options.embedding_dropout);
  for (std::size_t i = 0; i < options.layers.size(); ++i)
    layers_.push_back(&make_child<TransformerLayer>(std::string(names.layers) + "." + std::to_string(i),
                                                    names.layer, options.layers[i], random));
  final_norm_ = norm(names.final_norm);
}

std::string TransformerStack::embeddings_node() const {
  return path().empty() ? embeddings_node_ : path() + "." + embeddings_node_;
}

bool TransformerStack::has_node(std::string_view node) const {
  const auto at_or_below = [&](std::string_view above) {
    return node.starts_with(above) && (node.size() == above.size() || node[above.size()] == '.');
  };
  return at_or_below(embeddings_node()) || (final_norm_ != nullptr && at_or_below(final_norm_->path())) ||
         std::any_of(layers_.begin(), layers_.end(),
                     [&](const TransformerLayer* layer) { return at_or_below(layer->path()); });
}

at::Tensor TransformerStack::embed(const PackedTokens& tokens, const at::Tensor& positions,
                                   const SampleRows& rows, Forward& forward) {
  const std::string node = embeddings_node();
  check_range(tokens.ids, options_.vocab_size, node + ": token id", "the size of the vocabulary");
  at::Tensor x = tokens_->forward(tokens.ids, forward);
  if (options_.embedding_scale != 1) x = x * options_.embedding_scale;
  if (types_ != nullptr) {
    if (tokens.type_ids.defined())
      check_range(tokens.type_ids, options_.types, node + ": type id", "the number of types");
    x = x +
        types_->forward(tokens.type_ids.defined() ? tokens.type_ids : at::zeros_like(tokens.ids), forward);
  }
  if (positions_ != nullptr) {
    check_range(positions, options_.positions - options_.position_offset, node + ": position",
                "the longest sequence this model takes");
    x = x + positions_->forward(
                options_.position_offset == 0 ? positions : positions + options_.position_offset, forward);
  }
  if (embedding_norm_ != nullptr) x = embedding_norm_->forward(x, forward);
  if (embedding_dropout_ != nullptr) x = embedding_dropout_->forward(x, rows, forward);
  return forward.node(node, std::move(x));
}

at::Tensor TransformerStack::forward(const PackedTokens& tokens, const StackPass& pass, Forward& forward) {
  check_tokens(tokens);
  const SampleRows rows{.offsets = tokens.offsets, .ids = pass.ids};
  const std::span<const std::int64_t> held = pass.cache != nullptr
                                                 ? std::span<const std::int64_t>(pass.cache->lengths())
                                                 : std::span<const std::int64_t>();
  const at::Tensor positions = tokens.positions.defined()
                                   ? tokens.positions
                                   : natural_positions(tokens.offsets, tokens.ids.device(), held);
  std::map<double, Rotary> rotaries;  // by theta
  for (const LayerOptions& layer : options_.layers)
    if (layer.rope_theta > 0 && !rotaries.contains(layer.rope_theta))
      rotaries[layer.rope_theta] =
          rotary(positions, layer.attention.hidden / layer.attention.heads, layer.rope_theta);

  const std::vector<AttentionSegment> within = self_segments(tokens.offsets, pass.ids);
  const std::vector<AttentionSegment> across =
      pass.memory.defined() ? cross_segments(tokens.offsets, pass.memory_offsets, pass.ids)
                            : std::vector<AttentionSegment>{};
  AttentionPass self{.segments = &within, .cache = pass.cache};
  AttentionPass cross{.segments = &across, .memory = pass.memory, .cache = pass.cache};
  at::Tensor x = embed(tokens, positions, rows, forward);
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    self.layer = cross.layer = static_cast<std::int64_t>(i);
    const double theta = layers_[i]->options().rope_theta;
    self.rotary = theta > 0 ? &rotaries.at(theta) : nullptr;
    x = layers_[i]->forward(x, self, cross, rows, forward);
  }
  return final_norm_ != nullptr ? final_norm_->forward(x, forward) : x;
}

std::vector<KvCache::Layer> TransformerStack::project_source(const at::Tensor& memory, Forward& forward) {
  std::vector<KvCache::Layer> all;
  for (TransformerLayer* layer : layers_) all.push_back(layer->cross().project_source(memory, forward));
  return all;
}

}  // namespace mgd
