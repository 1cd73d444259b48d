#include <ATen/TensorOperators.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <fmt/core.h>

#include <memory>
#include <numeric>

#include "mgd/bench/lists.h"
#include "mgd/loss/loss.h"
#include "mgd/mask/mask_source.h"
#include "mgd/nn/autocast.h"
#include "mgd/ops/masked_conv.h"

namespace mgd {

namespace {

struct Setting {
  std::int64_t batch = 16, channels = 256, size = 28;
  std::string mask = "spatial";
  double ratio = 0.75;
  bool winograd = false;
  bool bf16 = false;
};

struct State {
  std::unique_ptr<Loss> loss;
  Batch batch;
  Record student, teacher;
  at::Tensor keep;
};

std::shared_ptr<State> state_of(const Setting& setting) {
  auto state = std::make_shared<State>();
  const NodeInfo info{.axes = Axes::map, .sizes = {setting.channels, setting.size, setting.size}};
  const Node entry = parse_yaml(fmt::format("{{name: mgd, mask: {}, mask_ratio: {}, winograd: {}}}",
                                            setting.mask, setting.ratio, setting.winograd),
                                "bench");
  const LossContext context{.student = {{"map", info}},
                            .teacher = {{"map", info}},
                            .student_default_tap = "map",
                            .teacher_default_tap = "map",
                            .num_classes = 10,
                            .seed = 1};
  state->loss = std::move(make_losses(entry, context).front());
  state->loss->trainable()->to_channels_last();
  state->batch.sample_ids.resize(static_cast<std::size_t>(setting.batch));
  std::iota(state->batch.sample_ids.begin(), state->batch.sample_ids.end(), 0);
  const auto map = [&] {
    return at::randn({setting.batch, setting.channels, setting.size, setting.size})
        .contiguous(at::MemoryFormat::ChannelsLast);
  };
  state->student.nodes["map"] = {.data = map().set_requires_grad(true), .axes = Axes::map};
  state->teacher.nodes["map"] = {.data = map(), .axes = Axes::map};
  MaskOptions options;
  options.mask = setting.mask;
  options.mask_ratio = setting.ratio;
  state->keep = MaskSource(options, 1, "mgd").draw(info, state->batch, /*step=*/0, /*progress_frac=*/0);
  return state;
}

BenchCase make(const Setting& setting) {
  const auto state = state_of(setting);
  const double visible = 1 - setting.ratio;
  const auto positions = static_cast<double>(setting.batch * setting.size * setting.size);
  const auto channels = static_cast<double>(setting.channels);
  // Forward, data gradient and weight gradient of two 3 x 3 convolutions, the first from what is visible.
  const double macs = 3 * 9 * positions * channels * channels * (1 + visible);
  return {.run =
              [state, bf16 = setting.bf16] {
                at::Tensor sum;
                {
                  const AutocastGuard autocast(bf16, at::kCPU);
                  sum = state->loss->sum({.batch = state->batch,
                                          .student = state->student,
                                          .teacher = state->teacher,
                                          .keep = state->keep});
                }
                sum.backward();
                state->student.nodes["map"].data.mutable_grad().reset();
                for (auto& entry : state->loss->trainable()->parameters())
                  entry.tensor.mutable_grad().reset();
              },
          .macs = macs,
          .samples = static_cast<double>(setting.batch)};
}

}  // namespace

std::vector<Benchmark> block_benchmarks() {
  std::vector<Benchmark> all;
  const auto add = [&](const std::string& name, const Setting& setting) {
    all.push_back(
        {"mgd-block/" + name,
         fmt::format("loss mgd, forward and backward, B{} C{} {} x {}, {} mask {:g}{}{}", setting.batch,
                     setting.channels, setting.size, setting.size, setting.mask, setting.ratio,
                     setting.winograd ? ", Winograd" : "", setting.bf16 ? ", bf16" : ""),
         [setting] { return make(setting); }});
  };
  add("spatial-0.75", {});
  add("spatial-0.65", {.ratio = 0.65});
  add("channel-0.5", {.mask = "channel", .ratio = 0.5});
  add("spatial-0.75-large", {.batch = 1, .channels = 2048, .size = 64});
  add("spatial-0.75-winograd", {.winograd = true});
  add("spatial-0.65-winograd", {.ratio = 0.65, .winograd = true});
  add("channel-0.5-winograd", {.mask = "channel", .ratio = 0.5, .winograd = true});
  add("spatial-0.75-bf16", {.bf16 = true});
  add("channel-0.5-bf16", {.mask = "channel", .ratio = 0.5, .bf16 = true});
  return all;
}

// The masked convolution alone: its time should be that of what is visible.
std::vector<Benchmark> convolution_curves() {
  constexpr std::int64_t kBatch = 16, kChannels = 256, kSize = 28;
  std::vector<Benchmark> all;
  for (const bool by_channel : {false, true})
    for (const double hidden : {0.0, 0.25, 0.5, 0.65, 0.75, 0.9}) {
      const auto make = [by_channel, hidden] {
        const auto map = [] {
          return at::randn({kBatch, kChannels, kSize, kSize}).contiguous(at::MemoryFormat::ChannelsLast);
        };
        const at::Tensor x = map().set_requires_grad(true), grad = map();
        const at::Tensor weight = (at::randn({kChannels, kChannels, 3, 3}) * 0.02)
                                      .contiguous(at::MemoryFormat::ChannelsLast)
                                      .set_requires_grad(true);
        const at::Tensor bias = at::randn({kChannels}).set_requires_grad(true);
        const at::Tensor keep = by_channel ? at::rand({kBatch, kChannels, 1, 1}) >= hidden
                                           : at::rand({kBatch, 1, kSize, kSize}) >= hidden;
        return BenchCase{
            .run =
                [=] {
                  masked_conv3x3(x, keep, weight, bias, {.skip = SkipHidden::always}).backward(grad);
                  for (const at::Tensor* t : {&x, &weight, &bias}) t->mutable_grad().reset();
                },
            .macs = 27.0 * kBatch * kSize * kSize * kChannels * kChannels * (1 - hidden),
            .samples = kBatch};
      };
      all.push_back({fmt::format("curve/conv-{}-{:g}", by_channel ? "channel" : "spatial", hidden),
                     "masked convolution, forward and backward, B16 C256 28 x 28", make, /*curve=*/true});
    }
  return all;
}

}  // namespace mgd
