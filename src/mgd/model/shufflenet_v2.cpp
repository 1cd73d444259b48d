// ShuffleNetV2 (Ma et al., ECCV 2018) under torchvision's names.
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/stack.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/model/architectures.h"
#include "mgd/model/numbered_layers.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::torch_default;

struct ShuffleNetPlan {
  std::array<std::int64_t, 3> channels{};  // of each stage, even
  std::int64_t last = 1024;
};

Conv2dOptions depthwise(std::int64_t channels, std::int64_t stride) {
  Conv2dOptions options = conv3x3(channels, channels, stride);
  options.groups = channels;
  return options;
}

// The channels of a and b in turn: cat and the paper's shuffle of two groups at once. (B, C, Y, X) twice ->
// (B, 2 C, Y, X), channels-last.
at::Tensor interleaved(const at::Tensor& a, const at::Tensor& b) {
  return at::stack({a.permute({0, 2, 3, 1}), b.permute({0, 2, 3, 1})}, -1).flatten(3).permute({0, 3, 1, 2});
}

// Figure 3 (c) and (d) of the paper: half of the channels pass by, or, where the map shrinks, all go both
// ways.
class ShuffleUnit : public Block {
 public:
  ShuffleUnit(std::int64_t in, std::int64_t half, std::int64_t stride, RandomStream& random) {
    if (stride != 1) {
      branch1_ = &make_child<NumberedLayers>("branch1", kInit);
      branch1_->append({.conv = depthwise(in, stride), .activation = Activation::none}, random);
      branch1_->append({.conv = conv1x1(in, half)}, random);
    }
    branch2_ = &make_child<NumberedLayers>("branch2", kInit);
    branch2_->append({.conv = conv1x1(stride != 1 ? in : half, half)}, random);
    branch2_->append({.conv = depthwise(half, stride), .activation = Activation::none}, random);
    branch2_->append({.conv = conv1x1(half, half)}, random);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const std::int64_t half = x.size(1) / 2;
    const at::Tensor left = branch1_ ? branch1_->forward(x, forward) : x.narrow(1, 0, half);
    const at::Tensor right = branch2_->forward(branch1_ ? x : x.narrow(1, half, half), forward);
    return forward.node(path(), interleaved(left, right));
  }

 private:
  NumberedLayers *branch1_ = nullptr, *branch2_ = nullptr;
};

std::int64_t half_of(std::int64_t channels, const ModelSpec& spec) {
  return std::max<std::int64_t>(1, std::llround(static_cast<double>(channels) * spec.width / 2));
}

class ShuffleNetV2 : public ImageModel {
 public:
  ShuffleNetV2(const ModelSpec& spec, const ShuffleNetPlan& plan, RandomStream& random)
      : ImageModel(spec), conv1_(make_child<NumberedLayers>("conv1", kInit)) {
    constexpr std::int64_t kStem = 24;
    constexpr std::array<std::int64_t, 3> kBlocks{4, 8, 4};  // table 5 of the paper
    std::int64_t in = scaled_channels(kStem, spec);
    conv1_.append({.conv = conv3x3(spec.in_channels, in, 2)}, random);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      stages_[s] = &make_child<Stage>("stage" + std::to_string(s + 2));
      const std::int64_t half = half_of(plan.channels[s], spec);
      for (std::int64_t i = 0; i < kBlocks[s]; ++i) {
        stages_[s]->append<ShuffleUnit>(in, half, i == 0 ? 2 : 1, random);
        in = 2 * half;
      }
    }
    const std::int64_t last = scaled_channels(plan.last, spec);
    conv5_ = &make_child<NumberedLayers>("conv5", kInit);
    conv5_->append({.conv = conv1x1(in, last)}, random);
    fc_ = &make_child<Linear>("fc", last, spec.num_classes, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = conv1_.forward(model_input(std::move(input), spec(), forward), forward);
    x = forward.node("maxpool", at::max_pool2d(x, 3, 2, 1));
    for (Stage* stage : stages_) x = stage->forward(x, forward);
    return fc_->forward(global_pool(conv5_->forward(x, forward), forward), forward);
  }

  std::string default_tap() const override { return "conv5"; }

 private:
  NumberedLayers& conv1_;
  std::array<Stage*, 3> stages_{};
  NumberedLayers* conv5_ = nullptr;
  Linear* fc_ = nullptr;
};

template <ShuffleNetPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<ShuffleNetV2>(spec, kPlan, random);
}

constexpr Architecture kShuffleNetsV2[] = {
    {"shufflenet_v2_x0_5", kImageNetHabit, build<ShuffleNetPlan{{48, 96, 192}, 1024}>},
    {"shufflenet_v2_x1_0", kImageNetHabit, build<ShuffleNetPlan{{116, 232, 464}, 1024}>},
    {"shufflenet_v2_x1_5", kImageNetHabit, build<ShuffleNetPlan{{176, 352, 704}, 1024}>},
    {"shufflenet_v2_x2_0", kImageNetHabit, build<ShuffleNetPlan{{244, 488, 976}, 2048}>},
};

}  // namespace

std::span<const Architecture> shufflenets_v2() {
  return kShuffleNetsV2;
}

}  // namespace mgd
