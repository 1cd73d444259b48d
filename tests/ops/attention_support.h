// Inputs and independent answers for the tests of masked attention.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>
#include <vector>

#include "mgd/ops/masked_attention.h"

namespace mgd {

struct Qkv {
  at::Tensor q, k, v;  // (B, H, T, D), (B, G, S, D)
  Qkv to(at::ScalarType type) const;
  Qkv with_grad() const;  // detached copies that ask for gradients
};
// Standard normal, double, with values bfloat16 holds exactly.
Qkv random_qkv(std::int64_t batch, std::int64_t heads, std::int64_t queries, std::int64_t keys,
               std::int64_t dim, std::int64_t kv_heads = 0, std::uint64_t seed = 1);

// softmax(q k^T / sqrt(D) + log keep) v by single operators in the type of the inputs: the naive code. keep
// (B, T, S).
at::Tensor naive_attention(const Qkv& x, const at::Tensor& keep);

struct Answers {
  at::Tensor out, dq, dk, dv;
};
// Outputs and the gradients of sum(out * weights).
Answers answers_of(const Qkv& x, const at::Tensor& weights,
                   const std::function<at::Tensor(const Qkv&)>& attention);

double worst(const at::Tensor& a,
             const at::Tensor& b);  // largest absolute difference; NaN counts as infinite

// The rule: over all cases of one comparison, the error against double is at most twice that of the naive
// code in the same type. Single cases are too few numbers: their largest errors are luck.
class ErrorRule {
 public:
  void add(const Answers& got, const Answers& naive, const Answers& exact);
  void check() const;  // with EXPECT

  struct Row {
    const char* what;
    at::Tensor Answers::*part;
    double got = 0, naive = 0;  // largest errors
  };
  const std::vector<Row>& rows() const { return rows_; }

 private:
  std::vector<Row> rows_{
      {"out", &Answers::out}, {"grad q", &Answers::dq}, {"grad k", &Answers::dk}, {"grad v", &Answers::dv}};
};

}  // namespace mgd
