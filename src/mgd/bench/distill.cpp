#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/randint.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "mgd/bench/lists.h"
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/model/image_model.h"
#include "mgd/train/optimizer.h"

namespace mgd {

namespace {

constexpr std::int64_t kBatch = 8, kSize = 224;
constexpr const char* kTap = "layer4";

// ResNet-34 teaches ResNet-18 by cross-entropy and MGD on the last maps, as in the paper's table 1.
struct State {
  std::unique_ptr<ImageModel> teacher, student;
  std::vector<std::unique_ptr<Loss>> losses;
  std::unique_ptr<Optimizer> optimizer;
  Batch batch;
  Record kept;               // of the teacher
  std::int64_t missing = 0;  // samples, the first of the batch, for which it must run all the same
  bool winograd = false;
  double macs = 0;
};

std::unique_ptr<ImageModel> model_of(const char* architecture) {
  auto model = make_model(
      {.architecture = architecture, .num_classes = 1000, .image_height = kSize, .image_width = kSize}, 1);
  model->to_channels_last();
  return model;
}

NodeInfo map_info() {
  return {.axes = Axes::map, .sizes = {512, kSize / 32, kSize / 32}};
}

// Of the first samples of the batch.
Record answers(State& state, std::int64_t samples) {
  const at::NoGradGuard no_grad;
  Forward forward;
  forward.use_winograd(state.winograd);
  forward.capture(kTap);
  Batch first;
  first.input = state.batch.input.narrow(0, 0, samples);
  Record record = state.teacher->run(first, forward);
  state.macs += static_cast<double>(forward.macs());
  return record;
}

Record answers_of_cache(State& state) {
  if (state.missing == 0) return state.kept;
  Record all = answers(state, state.missing);
  if (state.missing < kBatch)
    for (auto& [name, node] : all.nodes)
      node.data = at::cat(
          {node.data, state.kept.nodes.at(name).data.narrow(0, state.missing, kBatch - state.missing)});
  return all;
}

void step(State& state) {
  state.macs = 0;
  const Record teacher = answers_of_cache(state);
  Forward forward(/*training=*/true);
  forward.use_winograd(state.winograd);
  forward.capture(kTap);
  const Record student = state.student->run(state.batch, forward);
  const MaskOptions options{.mask = "spatial", .mask_ratio = 0.5};
  const at::Tensor keep =
      MaskSource(options, 1, "mgd").draw(map_info(), state.batch, /*step=*/0, /*progress_frac=*/0);
  at::Tensor total;
  for (const auto& loss : state.losses) {
    const at::Tensor sum =
        loss->sum({.batch = state.batch, .student = student, .teacher = teacher, .keep = keep});
    const double count =
        loss->count({.batch_size = kBatch, .num_targets = state.batch.num_targets(), .keep = keep});
    total = total.defined() ? total + sum * (loss->weight() / count) : sum * (loss->weight() / count);
  }
  total.backward();
  state.optimizer->step(0.01);
  state.optimizer->zero_grad();
  state.macs += 3 * static_cast<double>(forward.macs());
}

BenchCase make(std::int64_t missing, bool winograd) {
  auto state = std::make_shared<State>();
  state->missing = missing;
  state->winograd = winograd;
  state->teacher = model_of("resnet34");
  state->teacher->set_requires_grad(false);
  state->student = model_of("resnet18");
  const NodeInfo map = map_info();
  const LossContext context{.student = {{kTap, map}},
                            .teacher = {{kTap, map}},
                            .student_default_tap = kTap,
                            .teacher_default_tap = kTap,
                            .num_classes = 1000,
                            .seed = 1,
                            .winograd = winograd};
  for (const char* entry : {"{name: cross_entropy}", "{name: mgd, mask: spatial, mask_ratio: 0.5}"})
    state->losses.push_back(std::move(make_losses(parse_yaml(entry, "bench"), context).front()));
  std::vector<NamedTensor> parameters = state->student->parameters();
  for (const auto& loss : state->losses)
    if (loss->trainable() != nullptr) {
      loss->trainable()->to_channels_last();
      for (const auto& entry : loss->trainable()->parameters()) parameters.push_back(entry);
    }
  state->optimizer = std::make_unique<Optimizer>(parameters, OptimizerOptions{.weight_decay = 1e-4});
  state->batch.input = at::randn({kBatch, 3, kSize, kSize}).contiguous(at::MemoryFormat::ChannelsLast);
  state->batch.target = at::randint(1000, {kBatch}, at::TensorOptions().dtype(at::kLong));
  state->batch.sample_ids.resize(kBatch);
  std::iota(state->batch.sample_ids.begin(), state->batch.sample_ids.end(), 0);
  state->kept = answers(*state, kBatch);
  step(*state);
  return {.run = [state] { step(*state); }, .macs = state->macs, .samples = kBatch};
}

}  // namespace

std::vector<Benchmark> distill_benchmarks() {
  const std::string what = "distillation step ResNet-34 -> ResNet-18, cross-entropy and MGD, B8 224 x 224";
  const std::string kept = what + ", the teacher's maps kept";
  return {{"distill-step/live", what, [] { return make(kBatch, false); }},
          {"distill-step/cached", kept, [] { return make(0, false); }},
          {"distill-step/live-winograd", what + ", Winograd", [] { return make(kBatch, true); }},
          {"distill-step/cached-winograd", kept + ", Winograd", [] { return make(0, true); }}};
}

// How time falls with the share of the batch whose maps the teacher's cache holds.
std::vector<Benchmark> cache_curve() {
  std::vector<Benchmark> all;
  for (const double hits : {0.0, 0.25, 0.5, 0.75, 1.0}) {
    const auto missing = static_cast<std::int64_t>((1 - hits) * kBatch);
    all.push_back({fmt::format("curve/cache-hit-{:g}", hits),
                   "distillation step, this share of the teacher's maps kept",
                   [missing] { return make(missing, false); }, /*curve=*/true});
  }
  return all;
}

}  // namespace mgd
