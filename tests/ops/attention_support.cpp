#include "ops/attention_support.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "mgd/core/philox.h"

namespace mgd {

namespace {

at::Tensor random_tensor(at::IntArrayRef shape, RandomStream& random) {
  at::Tensor t = at::empty(shape, at::TensorOptions().dtype(at::kDouble));
  double* data = t.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < t.numel(); ++i) data[i] = random.normal();
  return t.to(at::kBFloat16).to(at::kDouble);
}

at::Tensor leaf(const at::Tensor& t) {
  return t.detach().clone().requires_grad_(true);
}

}  // namespace

Qkv Qkv::to(at::ScalarType type) const {
  return {q.to(type), k.to(type), v.to(type)};
}

Qkv Qkv::with_grad() const {
  return {leaf(q), leaf(k), leaf(v)};
}

Qkv random_qkv(std::int64_t batch, std::int64_t heads, std::int64_t queries, std::int64_t keys,
               std::int64_t dim, std::int64_t kv_heads, std::uint64_t seed) {
  RandomStream random(random_key(seed, "qkv"), 0, 0);
  if (kv_heads == 0) kv_heads = heads;
  return {random_tensor({batch, heads, queries, dim}, random),
          random_tensor({batch, kv_heads, keys, dim}, random),
          random_tensor({batch, kv_heads, keys, dim}, random)};
}

at::Tensor naive_attention(const Qkv& x, const at::Tensor& keep) {
  const std::int64_t repeat = x.q.size(1) / x.k.size(1);
  const at::Tensor k = x.k.repeat_interleave(repeat, 1), v = x.v.repeat_interleave(repeat, 1);
  const at::Tensor visible = keep.unsqueeze(1), any = visible.any(-1, true);
  const at::Tensor scores = at::matmul(x.q, k.transpose(2, 3)) / std::sqrt(static_cast<double>(x.q.size(3)));
  const at::Tensor hidden =
      scores.masked_fill(visible.logical_not() & any, -std::numeric_limits<double>::infinity());
  return at::matmul(at::softmax(hidden, -1).masked_fill(visible.logical_not(), 0), v);
}

Answers answers_of(const Qkv& x, const at::Tensor& weights,
                   const std::function<at::Tensor(const Qkv&)>& attention) {
  const Qkv leaves = x.with_grad();
  const at::Tensor out = attention(leaves);
  (out * weights.to(out.scalar_type())).sum().backward();
  return {out.detach(), leaves.q.grad(), leaves.k.grad(), leaves.v.grad()};
}

double worst(const at::Tensor& a, const at::Tensor& b) {
  if (a.numel() == 0) return 0;
  const at::Tensor difference = (a.to(at::kDouble) - b.to(at::kDouble)).abs();
  if (difference.isnan().any().item<bool>()) return std::numeric_limits<double>::infinity();
  return difference.max().item<double>();
}

void ErrorRule::add(const Answers& got, const Answers& naive, const Answers& exact) {
  for (Row& row : rows_) {
    row.got = std::max(row.got, worst(got.*row.part, exact.*row.part));
    row.naive = std::max(row.naive, worst(naive.*row.part, exact.*row.part));
  }
}

void ErrorRule::check() const {
  for (const Row& row : rows_) {
    EXPECT_LE(row.got, 2 * row.naive) << row.what;
    EXPECT_GT(row.naive, 0) << "nothing was compared";
  }
}

}  // namespace mgd
