#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>

#include "mgd/bench/lists.h"
#include "mgd/model/text_model.h"
#include "mgd/nn/autocast.h"
#include "mgd/ops/masked_cross_entropy.h"
#include "mgd/train/optimizer.h"

namespace mgd {

namespace {

struct Sizes {
  std::int64_t width = 768, vocabulary = 30522;
};

struct State {
  std::unique_ptr<TextModel> model;
  std::unique_ptr<Optimizer> optimizer;
  Batch batch;
  double macs = 0;
};

// Every seventh token is a target: 1/7 = 14.3 %, as the peer's.
Batch batch_of(const std::vector<std::int64_t>& lengths, std::int64_t vocabulary) {
  Batch batch;
  std::vector<std::int64_t> positions, rows;
  batch.tokens.offsets = {0};
  for (std::size_t s = 0; s < lengths.size(); ++s) {
    for (std::int64_t t = 0; t < lengths[s]; ++t) {
      if (t % 7 == 3) rows.push_back(static_cast<std::int64_t>(positions.size()));
      positions.push_back(t);
    }
    batch.tokens.offsets.push_back(static_cast<std::int64_t>(positions.size()));
    batch.sample_ids.push_back(static_cast<std::int64_t>(s));
  }
  const auto options = at::TensorOptions().dtype(at::kLong);
  batch.tokens.positions = at::tensor(positions, options);
  batch.tokens.ids = at::randint(1000, vocabulary, batch.tokens.positions.sizes(), options);
  batch.target_rows = at::tensor(rows, options);
  batch.target = at::randint(1000, vocabulary, batch.target_rows.sizes(), options);
  return batch;
}

void step(State& state, bool bf16) {
  at::Tensor loss;
  {
    const AutocastGuard autocast(bf16, at::kCPU);
    Forward forward(/*training=*/true);
    const Record output = state.model->run(state.batch, forward);
    loss = masked_cross_entropy(output.head, state.batch.target);
  }
  (loss / static_cast<double>(state.batch.num_targets())).backward();
  state.optimizer->step(1e-4);
  state.optimizer->zero_grad();
}

// A BERT of 4 layers with heads of 64.
BenchCase make(const std::vector<std::int64_t>& lengths, bool bf16, const Sizes& of = {}) {
  TextSizes sizes;
  sizes.vocab_size = of.vocabulary;
  sizes.hidden_size = of.width;
  sizes.layers = 4;
  sizes.heads = of.width / 64;
  sizes.dropout = 0;
  auto state = std::make_shared<State>();
  state->model = make_text_model(text_config("bert", sizes, TextHead::masked_lm), 1);
  state->optimizer = std::make_unique<Optimizer>(state->model->parameters(),
                                                 OptimizerOptions{.name = "adamw", .weight_decay = 0.01});
  state->batch = batch_of(lengths, of.vocabulary);
  Forward counting;
  {
    const at::NoGradGuard no_grad;
    state->model->run(state->batch, counting);
  }
  const double head = static_cast<double>(state->batch.num_targets() * of.width * of.vocabulary);
  return {.run = [state, bf16] { step(*state, bf16); },
          .macs = 3 * (static_cast<double>(counting.macs()) + head),
          .samples = static_cast<double>(lengths.size())};
}

}  // namespace

std::vector<Benchmark> mlm_benchmarks() {
  // 16 rows of 128; 30 and 45 % of the places are padding.
  const std::vector<std::int64_t> full(16, 128),
      third{128, 128, 120, 115, 110, 105, 100, 95, 90, 85, 80, 70, 65, 60, 50, 33},
      half{128, 120, 110, 100, 90, 80, 75, 70, 65, 60, 55, 50, 45, 35, 25, 19};
  const std::string what = "masked-LM training step, BERT of 4 layers, H 768, B16 L128";
  std::vector<Benchmark> all;
  const auto add = [&](const std::string& name, const std::string& text, const auto& lengths, bool bf16) {
    all.push_back({"mlm-step/" + name, what + text, [lengths, bf16] { return make(lengths, bf16); }});
  };
  add("full", "", full, false);
  add("pad30", ", 30 % padding", third, false);
  add("pad45", ", 45 % padding", half, false);
  add("pad30-bf16", ", 30 % padding, bf16", third, true);
  return all;
}

std::vector<Benchmark> padding_curve() {
  constexpr std::int64_t kBatch = 16, kLength = 128;
  std::vector<Benchmark> all;
  for (const double padding : {0.0, 0.25, 0.5, 0.75}) {
    // Spread evenly around their mean, as far as they go.
    const double mean = kLength * (1 - padding), reach = std::min(mean, kLength - mean) * 0.9;
    std::vector<std::int64_t> lengths;
    for (std::int64_t s = 0; s < kBatch; ++s)
      lengths.push_back(std::llround(mean + reach * (2.0 * static_cast<double>(s) / (kBatch - 1) - 1)));
    all.push_back({fmt::format("curve/padding-{:g}", padding),
                   "masked-LM training step, BERT of 4 layers, H 256, B16 L128",
                   [lengths] { return make(lengths, false, {.width = 256, .vocabulary = 8000}); },
                   /*curve=*/true});
  }
  return all;
}

}  // namespace mgd
