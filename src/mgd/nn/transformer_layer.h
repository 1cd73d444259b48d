// The one Transformer layer; what architectures differ in are options and names.
#pragma once

#include <string>

#include "mgd/nn/attention.h"

namespace mgd {

// Paths of the children of a layer; nullptr: it has none.
struct LayerNames {
  AttentionNames attention = {};
  const char* attention_norm = nullptr;
  AttentionNames cross = {};
  const char* cross_norm = nullptr;
  // Of the feed-forward part; `activation` is a node.
  const char *up = nullptr, *activation = nullptr, *down = nullptr, *norm = nullptr;
};

struct LayerOptions {
  AttentionLayerOptions attention;
  std::int64_t intermediate = 0;
  std::string activation = "gelu";
  bool gated = false;     // up gives twice the width: act(first half) * second half
  bool pre_norm = false;  // norm before each part, as GPT-2; else after each sum, as Vaswani et al. 2017
  bool attention_norm = true, cross = false;
  bool mlp_bias = true, norm_bias = true;
  double norm_eps = 1e-12, rope_theta = 0;  // 0: no rotary positions
  double attention_out_dropout = 0, activation_dropout = 0, out_dropout = 0;
};

class TransformerLayer : public Module {
 public:
  TransformerLayer(const LayerNames& names, const LayerOptions& options, RandomStream& random);
  at::Tensor forward(const at::Tensor& x, const AttentionPass& self, const AttentionPass& cross,
                     const SampleRows& rows, Forward& forward);  // (N, H) -> (N, H)
  const LayerOptions& options() const { return options_; }
  Attention& cross() { return *cross_; }

 private:
  at::Tensor feed_forward(const at::Tensor& x, const SampleRows& rows, Forward& forward);
  template <class Part>
  at::Tensor with_residual(const at::Tensor& x, LayerNorm* norm, const Part& part, Forward& forward);
  Dropout* make_dropout(const char* name, double p);

  LayerOptions options_;
  std::string activation_node_;
  Attention *attention_ = nullptr, *cross_ = nullptr;
  LayerNorm *attention_norm_ = nullptr, *cross_norm_ = nullptr, *norm_ = nullptr;
  Linear *up_ = nullptr, *down_ = nullptr;
  Dropout *attention_dropout_ = nullptr, *cross_dropout_ = nullptr, *activation_dropout_ = nullptr,
          *out_dropout_ = nullptr;
};

}  // namespace mgd
