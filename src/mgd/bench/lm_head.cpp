#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include <memory>

#include "mgd/bench/lists.h"
#include "mgd/ops/masked_cross_entropy.h"

namespace mgd {

namespace {

struct Sizes {
  // 16 rows of 128 tokens, 30 % of them padding, 15 % of the rest hidden: 215 targets of 2,048 places.
  std::int64_t targets = 215, width = 768, vocabulary = 30522;
};

BenchCase make(const Sizes& sizes, at::ScalarType type) {
  struct State {
    LmHead head;
    at::Tensor targets;
  };
  auto state = std::make_shared<State>();
  state->head = {.hidden = at::randn({sizes.targets, sizes.width}).to(type).set_requires_grad(true),
                 .weight = (at::randn({sizes.vocabulary, sizes.width}) * 0.02).set_requires_grad(true),
                 .bias = at::randn({sizes.vocabulary}).set_requires_grad(true)};
  state->targets = at::randint(sizes.vocabulary, {sizes.targets}, at::TensorOptions().dtype(at::kLong));
  return {.run =
              [state] {
                masked_cross_entropy(state->head, state->targets).backward();
                for (at::Tensor* t : {&state->head.hidden, &state->head.weight, &state->head.bias})
                  t->mutable_grad().reset();
              },
          .macs = 3 * static_cast<double>(sizes.targets * sizes.width * sizes.vocabulary),
          .samples = static_cast<double>(sizes.targets)};
}

}  // namespace

std::vector<Benchmark> lm_head_benchmarks() {
  return {
      {"lm-head/fp32",
       "output layer and cross-entropy, forward and backward, 215 targets of 2,048 places, V 30,522, H 768",
       [] { return make({}, at::kFloat); }},
      {"lm-head/bf16", "the same, bf16", [] { return make({}, at::kBFloat16); }}};
}

std::vector<Benchmark> head_curve() {
  std::vector<Benchmark> all;
  for (const std::int64_t vocabulary : {8'000, 32'000, 128'000})
    for (const std::int64_t targets : {300, 1200, 4800})
      all.push_back({fmt::format("curve/head-{}-{}", vocabulary, targets),
                     "output layer and cross-entropy, forward and backward, H 256",
                     [=] {
                       return make({targets, 256, vocabulary}, at::kFloat);
                     },
                     /*curve=*/true});
  return all;
}

}  // namespace mgd
