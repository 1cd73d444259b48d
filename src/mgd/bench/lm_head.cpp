#include <ATen/TensorOperators.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>

#include <memory>

#include "mgd/bench/lists.h"
#include "mgd/ops/masked_cross_entropy.h"

namespace mgd {

// 16 rows of 128 tokens, 30 % of them padding, 15 % of the rest hidden: 215 targets of 2,048 places.
std::vector<Benchmark> lm_head_benchmarks() {
  constexpr std::int64_t kTargets = 215, kWidth = 768, kVocabulary = 30522;
  const auto make = [](at::ScalarType type) {
    struct State {
      LmHead head;
      at::Tensor targets;
    };
    auto state = std::make_shared<State>();
    state->head = {.hidden = at::randn({kTargets, kWidth}).to(type).set_requires_grad(true),
                   .weight = (at::randn({kVocabulary, kWidth}) * 0.02).set_requires_grad(true),
                   .bias = at::randn({kVocabulary}).set_requires_grad(true)};
    state->targets = at::randint(kVocabulary, {kTargets}, at::TensorOptions().dtype(at::kLong));
    return BenchCase{.run =
                         [state] {
                           for (at::Tensor* t : {&state->head.hidden, &state->head.weight, &state->head.bias})
                             t->mutable_grad().reset();
                           masked_cross_entropy(state->head, state->targets).backward();
                         },
                     .macs = 3.0 * kTargets * kWidth * kVocabulary,
                     .samples = kTargets};
  };
  return {
      {"lm-head/fp32",
       "output layer and cross-entropy, forward and backward, 215 targets of 2,048 places, V 30,522, H 768",
       [make] { return make(at::kFloat); }},
      {"lm-head/bf16", "the same, bf16", [make] { return make(at::kBFloat16); }}};
}

}  // namespace mgd
