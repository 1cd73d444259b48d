// The layers of Transformers besides Linear and Dropout: tables, layer norm, activations, rotary positions.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/nn/forward.h"
#include "mgd/nn/module.h"

namespace mgd {

// A table of vectors, N(0, deviation^2); row `padding` (-1: none) starts as 0.
class Embedding : public Module {
 public:
  Embedding(std::int64_t rows, std::int64_t width, double deviation, std::int64_t padding,
            RandomStream& random);
  at::Tensor forward(const at::Tensor& ids, Forward& forward);  // (N) int64 -> (N, width)
  const at::Tensor& weight() const { return weight_; }          // (rows, width)

 private:
  at::Tensor& weight_;
};

class LayerNorm : public Module {
 public:
  LayerNorm(std::int64_t width, double eps, bool bias);
  at::Tensor forward(const at::Tensor& x, Forward& forward);  // (..., width)

 protected:
  at::Tensor normed(const at::Tensor& x) const;  // (..., width), before the node

 private:
  at::Tensor& weight_;
  at::Tensor* bias_ = nullptr;
  double eps_;
};

// Under transformers' names: gelu (erf), gelu_new and gelu_pytorch_tanh (tanh), relu, silu, tanh.
at::Tensor activate(const at::Tensor& x, const std::string& activation);

// The angles of rotary positions (Su et al. 2021) in the form of halves: dimension d of the first half turns
// with dimension d + D/2, by position * theta^(-2 d / D).
struct Rotary {
  at::Tensor cos, sin;  // (N, 1, D)
};
// Where the tokens of packed sequences (offsets: S + 1, from 0 to N) stand: 0, 1, ... in each. (N) int64.
// lengths: S, what a cache holds of each with these tokens, which then end there; empty: nothing else is
// held.
at::Tensor natural_positions(const std::vector<std::int64_t>& offsets, at::Device device,
                             std::span<const std::int64_t> lengths = {});
// positions (N) int64; the angles of models are float.
Rotary rotary(const at::Tensor& positions, std::int64_t width, double theta,
              at::ScalarType type = at::kFloat);
at::Tensor rotate(const at::Tensor& x, const Rotary& angles);  // (N, H, D)

}  // namespace mgd
