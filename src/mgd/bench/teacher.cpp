#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>

#include <memory>

#include "mgd/bench/lists.h"
#include "mgd/model/image_model.h"
#include "mgd/nn/autocast.h"

namespace mgd {

namespace {

BenchCase make(bool bf16, bool winograd = false) {
  constexpr std::int64_t kBatch = 8, kSize = 224;
  std::shared_ptr<ImageModel> model = make_model(
      {.architecture = "resnet34", .num_classes = 1000, .image_height = kSize, .image_width = kSize}, 1);
  model->set_requires_grad(false);
  model->to_channels_last();
  const at::Tensor input = at::randn({kBatch, 3, kSize, kSize}).contiguous(at::MemoryFormat::ChannelsLast);
  const auto run = [model, input, bf16, winograd] {
    const at::NoGradGuard no_grad;
    const AutocastGuard autocast(bf16, at::kCPU);
    Forward forward;
    forward.use_winograd(winograd);
    model->forward(input, forward);
    return forward.macs();
  };
  return {.run = [run] { run(); }, .macs = static_cast<double>(run()), .samples = kBatch};
}

}  // namespace

std::vector<Benchmark> teacher_benchmarks() {
  return {{"teacher/fp32", "ResNet-34 in evaluation mode, B8 224 x 224", [] { return make(false); }},
          {"teacher/bf16", "the same, bf16", [] { return make(true); }},
          {"teacher/fp32-winograd", "the same, fp32, Winograd", [] { return make(false, true); }}};
}

}  // namespace mgd
