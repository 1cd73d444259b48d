#include "mgd/nn/transformer_layer.h"

#include <ATen/TensorOperators.h>

#include "mgd/core/error.h"

namespace mgd {

TransformerLayer::TransformerLayer(const LayerNames& names, const LayerOptions& options, RandomStream& random)
    : options_(options), activation_node_(names.activation) {
  const AttentionLayerOptions& attention = options.attention;
  const auto norm = [&](const char* name) {
    return &make_child<LayerNorm>(name, attention.hidden, options.norm_eps, options.norm_bias);
  };
  const auto linear = [&](const char* name, std::int64_t in, std::int64_t out, double deviation) {
    return &make_child<Linear>(name,
                               LinearOptions{.in = in,
                                             .out = out,
                                             .bias = options.mlp_bias,
                                             .in_first = attention.in_first,
                                             .deviation = deviation},
                               random);
  };
  attention_ = &make_child<Attention>(names.attention.path, names.attention, attention, random);
  if (options.attention_norm) attention_norm_ = norm(names.attention_norm);
  if (options.cross) {
    AttentionLayerOptions across = attention;
    across.causal = false;
    across.cross = true;
    cross_ = &make_child<Attention>(names.cross.path, names.cross, across, random);
    cross_norm_ = norm(names.cross_norm);
  }
  up_ =
      linear(names.up, attention.hidden, options.intermediate * (options.gated ? 2 : 1), attention.deviation);
  down_ = linear(names.down, options.intermediate, attention.hidden, attention.out_deviation);
  norm_ = norm(names.norm);
  attention_dropout_ = make_dropout("attention_dropout", options.attention_out_dropout);
  if (options.cross) cross_dropout_ = make_dropout("cross_dropout", options.attention_out_dropout);
  activation_dropout_ = make_dropout("activation_dropout", options.activation_dropout);
  out_dropout_ = make_dropout("dropout", options.out_dropout);
}

// Only where there is something to drop: in a list of nodes the others would only be in the way.
Dropout* TransformerLayer::make_dropout(const char* name, double p) {
  return p > 0 ? &make_child<Dropout>(name, p) : nullptr;
}

template <class Part>
at::Tensor TransformerLayer::with_residual(const at::Tensor& x, LayerNorm* norm, const Part& part,
                                           Forward& forward) {
  if (!options_.pre_norm) return norm->forward(part(x) + x, forward);
  return part(norm != nullptr ? norm->forward(x, forward) : x) + x;
}

at::Tensor TransformerLayer::feed_forward(const at::Tensor& x, const SampleRows& rows, Forward& forward) {
  at::Tensor y = up_->forward(x, forward);
  if (options_.gated) {
    const auto halves = y.chunk(2, -1);
    y = activate(halves[0], options_.activation) * halves[1];
  } else {
    y = activate(y, options_.activation);
  }
  y = forward.node(path() + "." + activation_node_, std::move(y));
  if (activation_dropout_ != nullptr) y = activation_dropout_->forward(y, rows, forward);
  y = down_->forward(y, forward);
  return out_dropout_ != nullptr ? out_dropout_->forward(y, rows, forward) : y;
}

at::Tensor TransformerLayer::forward(const at::Tensor& x, const AttentionPass& self,
                                     const AttentionPass& cross, const SampleRows& rows, Forward& forward) {
  const auto attend = [&](Attention& attention, const AttentionPass& pass, Dropout* dropout) {
    return [&attention, &pass, &rows, &forward, dropout](const at::Tensor& z) {
      const at::Tensor y = attention.forward(z, pass, forward);
      return dropout != nullptr ? dropout->forward(y, rows, forward) : y;
    };
  };
  at::Tensor y = with_residual(x, attention_norm_, attend(*attention_, self, attention_dropout_), forward);
  if (cross_ != nullptr) y = with_residual(y, cross_norm_, attend(*cross_, cross, cross_dropout_), forward);
  y = with_residual(
      y, norm_, [&](const at::Tensor& z) { return feed_forward(z, rows, forward); }, forward);
  return forward.node(path(), std::move(y));
}

}  // namespace mgd
