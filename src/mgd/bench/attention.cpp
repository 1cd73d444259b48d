#include <ATen/TensorOperators.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include <algorithm>
#include <memory>

#include "mgd/bench/lists.h"
#include "mgd/ops/masked_attention.h"

namespace mgd {

namespace {

struct Shape {
  std::vector<std::int64_t> lengths;  // of each sequence; the rest up to the padded length is not there
  std::int64_t heads = 12, width = 64;
  AttentionOptions options;
};

// Pairs of query and key that see each other.
double visible_pairs(const Shape& shape) {
  double pairs = 0;
  for (const std::int64_t length : shape.lengths)
    for (std::int64_t i = 0; i < length; ++i) {
      const std::int64_t w = shape.options.window < 0 ? length : shape.options.window;
      const std::int64_t first = std::max<std::int64_t>(0, i - w);
      const std::int64_t last = shape.options.causal ? i : std::min(length - 1, i + w);
      pairs += static_cast<double>(last - first + 1);
    }
  return pairs;
}

BenchCase make(const Shape& shape, at::ScalarType type) {
  std::vector<std::int64_t> offsets{0};
  for (const std::int64_t length : shape.lengths) offsets.push_back(offsets.back() + length);
  struct State {
    at::Tensor q, k, v, grad;
    std::vector<AttentionSegment> segments;
  };
  auto state = std::make_shared<State>();
  for (at::Tensor* t : {&state->q, &state->k, &state->v})
    *t = at::randn({offsets.back(), shape.heads, shape.width}).to(type).set_requires_grad(true);
  state->grad = at::ones_like(state->q).detach();
  state->segments = self_segments(offsets);
  // Forward q k^T and p v; backward the four gradients of those.
  constexpr double kProducts = 6;
  return {
      .run =
          [state, options = shape.options] {
            masked_attention(state->q, state->k, state->v, state->segments, options).backward(state->grad);
            for (at::Tensor* t : {&state->q, &state->k, &state->v}) t->mutable_grad().reset();
          },
      .macs = kProducts * visible_pairs(shape) * static_cast<double>(shape.heads * shape.width),
      .samples = static_cast<double>(shape.lengths.size())};
}

}  // namespace

std::vector<Benchmark> attention_benchmarks() {
  const std::vector<std::int64_t> full(8, 512), third{512, 460, 410, 358, 358, 307, 256, 205},
      half{512, 410, 307, 256, 256, 154, 103, 50};
  std::vector<Benchmark> all;
  const auto add = [&](const std::string& name, const std::string& what, const Shape& shape,
                       at::ScalarType type = at::kFloat) {
    all.push_back({"attention/" + name, what, [shape, type] { return make(shape, type); }});
  };
  const std::string size = "forward and backward, B8 H12 L512 D64";
  add("full", size, {full});
  add("pad30", size + ", 30 % padding", {third});
  add("pad50", size + ", 50 % padding", {half});
  add("causal", size + ", causal", {full, 12, 64, {.causal = true}});
  add("causal-pad50", size + ", causal, 50 % padding", {half, 12, 64, {.causal = true}});
  add("window", "forward and backward, B1 H12 L4096 D64, window 64 each side",
      {{4096}, 12, 64, {.window = 64}});
  add("dropout", size + ", dropout 0.1", {full, 12, 64, {.dropout = 0.1, .dropout_key = 1}});
  add("full-bf16", size + ", bf16", {full}, at::kBFloat16);
  add("pad50-bf16", size + ", 50 % padding, bf16", {half}, at::kBFloat16);
  return all;
}

// How time grows: with the length, all of it visible, causal or in a window; with the batch.
std::vector<Benchmark> attention_curves() {
  std::vector<Benchmark> all;
  const auto add = [&](const std::string& name, const Shape& shape) {
    all.push_back({"curve/" + name, "attention, forward and backward, H12 D64",
                   [shape] { return make(shape, at::kFloat); },
                   /*curve=*/true});
  };
  for (std::int64_t length = 128; length <= 8192; length *= 2) {
    const std::string end = fmt::format("-{}", length);
    if (length <= 4096) add("full" + end, {{length}});
    if (length <= 4096) add("causal" + end, {{length}, 12, 64, {.causal = true}});
    add("window" + end, {{length}, 12, 64, {.window = 64}});
  }
  for (std::size_t batch = 1; batch <= 64; batch *= 2)
    add(fmt::format("batch-{}", batch), {std::vector<std::int64_t>(batch, 128)});
  return all;
}

}  // namespace mgd
