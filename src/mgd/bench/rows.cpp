#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "mgd/bench/lists.h"
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/ops/row_conv.h"

namespace mgd {

namespace {

constexpr std::int64_t kTexts = 16, kTokens = 128, kWidth = 768, kRows = kTexts * kTokens;

struct RowsSetting {
  std::string on = "all", generator = "conv", mask = "token";
  double hidden = 0.5;
};

struct RowsState {
  std::unique_ptr<Loss> loss;
  Batch batch;
  Record student, teacher;
  at::Tensor keep;
};

std::vector<std::int64_t> text_offsets() {
  std::vector<std::int64_t> offsets;
  for (std::int64_t s = 0; s <= kTexts; ++s) offsets.push_back(s * kTokens);
  return offsets;
}

std::shared_ptr<RowsState> rows_state(const RowsSetting& setting) {
  auto state = std::make_shared<RowsState>();
  const NodeInfo info{.axes = Axes::rows, .sizes = {kWidth}};
  const Node entry = parse_yaml(
      fmt::format("{{name: mgd, mask_ratio: {}, on: {}, generator: {}{}}}", setting.hidden, setting.on,
                  setting.generator, setting.generator == "conv" ? "" : ", generator_heads: 12"),
      "bench");
  const LossContext context{.student = {{"rows", info}},
                            .teacher = {{"rows", info}},
                            .student_default_tap = "rows",
                            .teacher_default_tap = "rows",
                            .seed = 1};
  state->loss = std::move(make_losses(entry, context).front());
  state->batch.tokens.offsets = text_offsets();
  state->batch.sample_ids.resize(static_cast<std::size_t>(kTexts));
  std::iota(state->batch.sample_ids.begin(), state->batch.sample_ids.end(), 0);
  const auto rows = [&](bool trains) {
    return Value{.data = at::randn({kRows, kWidth}).set_requires_grad(trains),
                 .axes = Axes::rows,
                 .offsets = state->batch.tokens.offsets};
  };
  state->student.nodes["rows"] = rows(true);
  state->teacher.nodes["rows"] = rows(false);
  MaskOptions options;
  options.mask = setting.mask;
  options.size = 8;
  options.mask_ratio = setting.hidden;
  options.exact = true;
  state->keep = MaskSource(options, 1, "mgd").draw(info, state->batch, /*step=*/0, /*progress_frac=*/0);
  return state;
}

BenchCase rows_case(const RowsSetting& setting) {
  const auto state = rows_state(setting);
  return {.run =
              [state] {
                state->loss
                    ->sum({.batch = state->batch,
                           .student = state->student,
                           .teacher = state->teacher,
                           .keep = state->keep})
                    .backward();
                state->student.nodes["rows"].data.mutable_grad().reset();
                for (auto& entry : state->loss->trainable()->parameters())
                  entry.tensor.mutable_grad().reset();
              },
          .macs = 0,
          .samples = kTexts};
}

// The first convolution alone: every row, from what is visible.
BenchCase convolution_case(double hidden) {
  std::vector<std::int64_t> all(static_cast<std::size_t>(kRows)), seen;
  std::iota(all.begin(), all.end(), 0);
  const at::Tensor drawn = at::rand({kRows});
  for (const std::int64_t row : all)
    if (drawn[row].item<double>() >= hidden) seen.push_back(row);
  const auto offsets = text_offsets();
  const at::Tensor in = at::randn({static_cast<std::int64_t>(seen.size()), kWidth}).set_requires_grad(true);
  const at::Tensor weight = (at::randn({kWidth, kWidth, 3}) * 0.02).set_requires_grad(true);
  const at::Tensor bias = at::randn({kWidth}).set_requires_grad(true), grad = at::randn({kRows, kWidth});
  return {.run =
              [=] {
                row_conv3(in, row_pairs(offsets, seen, all), weight, bias).backward(grad);
                for (const at::Tensor* t : {&in, &weight, &bias}) t->mutable_grad().reset();
              },
          .macs = 9.0 * kRows * kWidth * kWidth * (1 - hidden),
          .samples = kTexts};
}

}  // namespace

// MGD between the rows of 16 texts of 128 tokens, as wide as BERT.
std::vector<Benchmark> row_curves() {
  std::vector<Benchmark> all;
  for (const double hidden : {0.0, 0.25, 0.5, 0.75, 0.9}) {
    all.push_back({fmt::format("curve/rows-conv-{:g}", hidden),
                   "convolution of rows, forward and backward, 16 x 128 x 768",
                   [hidden] { return convolution_case(hidden); }, /*curve=*/true});
    for (const auto& [name, setting] :
         {std::pair{"all", RowsSetting{.hidden = hidden}},
          {"block", RowsSetting{.mask = "block", .hidden = hidden}},
          {"hidden", RowsSetting{.on = "hidden", .hidden = hidden}},
          {"transformer", RowsSetting{.generator = "transformer", .hidden = hidden}}})
      all.push_back({fmt::format("curve/rows-{}-{:g}", name, hidden),
                     fmt::format("loss mgd on rows, forward and backward, 16 x 128 x 768, mask {}, on {}, {}",
                                 setting.mask, setting.on, setting.generator),
                     [setting = setting] { return rows_case(setting); }, /*curve=*/true});
  }
  return all;
}

}  // namespace mgd
