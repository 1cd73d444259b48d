#include <ATen/ops/max_pool2d.h>

#include <algorithm>
#include <array>

#include "mgd/model/architectures.h"
#include "mgd/model/numbered_layers.h"
#include "mgd/model/residual.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_out;
constexpr std::int64_t kExpansion = 4;  // a bottleneck's output over its planes

struct ResNetPlan {
  bool bottleneck = false;
  std::array<std::int64_t, 4> blocks{};
  // A bottleneck's 3x3 convolution: `groups` of `group_width` channels in the first stage. Many groups make a
  // ResNeXt (Xie et al. 2017), one of 128 channels a wide ResNet (Zagoruyko and Komodakis 2016).
  std::int64_t groups = 1, group_width = 64;
  // ResNet-D (He et al. 2019): a stem of three 3x3 convolutions, and means in place of the shortcuts'
  // strides.
  bool deep = false;
  bool squeeze = false;  // Hu et al. 2018: channels are weighed before the shortcut is added
};

// Channels of a bottleneck's 3x3 convolution; a group keeps at least one.
std::int64_t inner_width(std::int64_t planes, const ResNetPlan& plan) {
  return plan.groups * std::max<std::int64_t>(1, planes * plan.group_width / 64);
}

// "conv1" of ResNet-D. Its last convolution's norm lies outside, as that of a plain stem does.
class DeepStem : public NumberedLayers {
 public:
  DeepStem(std::int64_t in, std::int64_t inner, std::int64_t out, RandomStream& random)
      : NumberedLayers(kInit) {
    append({.conv = conv3x3(in, inner, 2)}, random);
    append({.conv = conv3x3(inner, inner)}, random);
    last_ = &make_child<Conv2d>(next_name(), conv3x3(inner, out), random, kInit);
  }
  at::Tensor forward(const at::Tensor& x, BatchNorm2d& norm, Forward& forward) {
    return conv_norm(*last_, norm, run(x, forward), forward, {Activation::relu});
  }

 private:
  Conv2d* last_ = nullptr;
};

class ResNet : public ImageModel {
 public:
  ResNet(const ModelSpec& spec, const ResNetPlan& plan, RandomStream& random) : ImageModel(spec) {
    const std::int64_t stem = scaled_channels(64, spec);
    if (plan.deep)
      deep_ = &make_child<DeepStem>("conv1", spec.in_channels, scaled_channels(32, spec), stem, random);
    else
      conv1_ = &make_child<Conv2d>(
          "conv1", Conv2dOptions{.in = spec.in_channels, .out = stem, .kernel = 7, .stride = 2, .padding = 3},
          random, kInit);
    bn1_ = &make_child<BatchNorm2d>("bn1", stem);
    std::int64_t in = stem;
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      stages_[s] = &make_child<Stage>("layer" + std::to_string(s + 1));
      for (std::int64_t i = 0; i < plan.blocks[s]; ++i) {
        const std::int64_t planes = scaled_channels(std::int64_t{64} << s, spec);
        const ResidualOptions options{.in = in,
                                      .out = plan.bottleneck ? planes * kExpansion : planes,
                                      .stride = s > 0 && i == 0 ? 2 : 1,
                                      .shortcut = plan.deep ? Shortcut::mean_project : Shortcut::project,
                                      .squeeze = plan.squeeze};
        if (plan.bottleneck)
          stages_[s]->append<Bottleneck>(options, inner_width(planes, plan), plan.groups, random);
        else
          stages_[s]->append<BasicBlock>(options, random);
        in = options.out;
      }
    }
    fc_ = &make_child<Linear>("fc", in, spec.num_classes, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = model_input(std::move(input), spec(), forward);
    x = deep_ ? deep_->forward(x, *bn1_, forward) : conv_norm(*conv1_, *bn1_, x, forward, {Activation::relu});
    x = forward.node("maxpool", at::max_pool2d(x, 3, 2, 1));
    for (Stage* stage : stages_) x = stage->forward(x, forward);
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "layer4"; }

 private:
  DeepStem* deep_ = nullptr;  // or
  Conv2d* conv1_ = nullptr;
  BatchNorm2d* bn1_ = nullptr;
  std::array<Stage*, 4> stages_{};
  Linear* fc_ = nullptr;
};

template <ResNetPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<ResNet>(spec, kPlan, random);
}

constexpr ResNetPlan k18{.blocks = {2, 2, 2, 2}}, k34{.blocks = {3, 4, 6, 3}};
constexpr ResNetPlan k26{.bottleneck = true, .blocks = {2, 2, 2, 2}};
constexpr ResNetPlan k50{.bottleneck = true, .blocks = {3, 4, 6, 3}};
constexpr ResNetPlan k101{.bottleneck = true, .blocks = {3, 4, 23, 3}};
constexpr ResNetPlan k152{.bottleneck = true, .blocks = {3, 8, 36, 3}};

constexpr ResNetPlan grouped(ResNetPlan plan, std::int64_t groups, std::int64_t group_width) {
  plan.groups = groups;
  plan.group_width = group_width;
  return plan;
}
constexpr ResNetPlan deep(ResNetPlan plan) {
  plan.deep = true;
  return plan;
}
constexpr ResNetPlan squeezed(ResNetPlan plan) {
  plan.squeeze = true;
  return plan;
}

constexpr Architecture kResNets[] = {
    {"resnet18", kImageNetHabit, build<k18>},
    {"resnet34", kImageNetHabit, build<k34>},
    {"resnet50", kImageNetHabit, build<k50>},
    {"resnet101", kImageNetHabit, build<k101>},
    {"resnet152", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"}, build<k152>},
    {"resnet18d", kBicubicHabit, build<deep(k18)>},
    {"resnet26d", kBicubicHabit, build<deep(k26)>},
    {"resnet34d", kBicubicHabit, build<deep(k34)>},
    {"resnet50d", kBicubicHabit, build<deep(k50)>},
    {"resnet101d", Habit{.side = 256, .crop_pct = 0.95, .interpolation = "bicubic"}, build<deep(k101)>},
    {"resnet152d", Habit{.side = 256, .crop_pct = 0.95, .interpolation = "bicubic"}, build<deep(k152)>},
    {"resnext50_32x4d", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<grouped(k50, 32, 4)>},
    {"resnext50d_32x4d", kBicubicHabit, build<deep(grouped(k50, 32, 4))>},
    {"resnext101_32x4d", kImageNetHabit, build<grouped(k101, 32, 4)>},
    {"resnext101_32x8d", kImageNetHabit, build<grouped(k101, 32, 8)>},
    {"resnext101_64x4d", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<grouped(k101, 64, 4)>},
    {"wide_resnet50_2", kBicubicHabit, build<grouped(k50, 1, 128)>},
    {"wide_resnet101_2", kImageNetHabit, build<grouped(k101, 1, 128)>},
    {"seresnet18", kBicubicHabit, build<squeezed(k18)>},
    {"seresnet34", kBicubicHabit, build<squeezed(k34)>},
    {"seresnet50", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"}, build<squeezed(k50)>},
    {"seresnet101", kBicubicHabit, build<squeezed(k101)>},
    {"seresnet152", kBicubicHabit, build<squeezed(k152)>},
};

}  // namespace

std::span<const Architecture> resnets() {
  return kResNets;
}

}  // namespace mgd
