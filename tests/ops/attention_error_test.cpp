// Rounding of masked attention beside that of PyTorch's own operator, wherever that one can say the mask. The
// errors are properties of the tests: --gtest_output=xml:FILE keeps them.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <fmt/core.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "ops/attention_support.h"

namespace mgd {
namespace {

constexpr std::int64_t kBatch = 3, kHeads = 2;

struct Sides {
  ErrorRule ours, sdpa;
};

void record(const char* type, const Sides& sides) {
  for (std::size_t i = 0; i < sides.ours.rows().size(); ++i) {
    const auto &ours = sides.ours.rows()[i], &sdpa = sides.sdpa.rows()[i];
    std::string name = fmt::format("{}_{}", type, ours.what);
    std::replace(name.begin(), name.end(), ' ', '_');
    testing::Test::RecordProperty(
        name, fmt::format("mgd {:.2e} sdpa {:.2e} naive {:.2e}", ours.got, sdpa.got, ours.naive));
  }
}

// `mask_of(n)` for sequences of n tokens, three a batch.
template <class MaskOf>
void compare(const MaskOf& mask_of) {
  Sides single, half;
  const int threads = at::get_num_threads();
  at::set_num_threads(1);  // the operators are too small to share
  for (const std::int64_t width : {16, 24, 32, 64, 96, 128})
    for (const std::int64_t n : {2, 19, 90, 133}) {
      SCOPED_TRACE(fmt::format("width {}, length {}", width, n));
      const AttentionMask mask = mask_of(n);
      const at::Tensor keep = keep_matrix(mask, kBatch, n, n);
      const bool plain = !mask.key_keep.defined() && mask.window < 0;
      const Qkv x = random_qkv(kBatch, kHeads, n, n, width);
      const at::Tensor weights = random_qkv(kBatch, kHeads, n, n, width, 0, 2).q;
      const auto naive = [&](const Qkv& y) { return naive_attention(y, keep); };
      const auto ours = [&](const Qkv& y) { return masked_attention(y.q, y.k, y.v, mask); };
      const auto sdpa = [&](const Qkv& y) {
        const std::optional<at::Tensor> bits = plain ? std::nullopt : std::optional(keep.unsqueeze(1));
        return at::scaled_dot_product_attention(y.q, y.k, y.v, bits, 0.0, plain && mask.causal);
      };
      const Answers exact = answers_of(x, weights, sdpa), wide = answers_of(x, weights, ours);
      for (const auto part : {&Answers::out, &Answers::dq, &Answers::dk, &Answers::dv})
        EXPECT_LT(worst(wide.*part, exact.*part), 1e-13);
      for (const auto type : {at::kFloat, at::kBFloat16}) {
        Sides& sides = type == at::kFloat ? single : half;
        const Answers by_naive = answers_of(x.to(type), weights, naive);
        sides.ours.add(answers_of(x.to(type), weights, ours), by_naive, exact);
        sides.sdpa.add(answers_of(x.to(type), weights, sdpa), by_naive, exact);
      }
    }
  at::set_num_threads(threads);
  single.ours.check();
  half.ours.check();
  record("float", single);
  record("bfloat16", half);
}

at::Tensor ragged(std::int64_t n) {
  return key_keep_from_lengths({n, (n + 1) / 2, 1}, n);
}

TEST(AttentionError, Full) {
  compare([](std::int64_t) { return AttentionMask{}; });
}

TEST(AttentionError, Causal) {
  compare([](std::int64_t) { return AttentionMask{.causal = true}; });
}

TEST(AttentionError, Padding) {
  compare([](std::int64_t n) { return AttentionMask{.key_keep = ragged(n)}; });
}

TEST(AttentionError, CausalPadding) {
  compare([](std::int64_t n) { return AttentionMask{.causal = true, .key_keep = ragged(n)}; });
}

TEST(AttentionError, Window) {
  compare([](std::int64_t) { return AttentionMask{.window = 8}; });
}

TEST(AttentionError, CausalWindow) {
  compare([](std::int64_t) { return AttentionMask{.causal = true, .window = 8}; });
}

}  // namespace
}  // namespace mgd
