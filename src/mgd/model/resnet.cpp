#include <ATen/ops/max_pool2d.h>

#include <array>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"
#include "mgd/model/residual.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_out;
constexpr std::int64_t kExpansion = 4;  // a bottleneck's output over its inner width

class Bottleneck : public Block {
 public:
  Bottleneck(std::int64_t in, std::int64_t inner, std::int64_t stride, RandomStream& random)
      : conv1_(make_child<Conv2d>("conv1", conv1x1(in, inner), random, kInit)),
        bn1_(make_child<BatchNorm2d>("bn1", inner)),
        conv2_(make_child<Conv2d>("conv2", conv3x3(inner, inner, stride), random, kInit)),
        bn2_(make_child<BatchNorm2d>("bn2", inner)),
        conv3_(make_child<Conv2d>("conv3", conv1x1(inner, inner * kExpansion), random, kInit)),
        bn3_(make_child<BatchNorm2d>("bn3", inner * kExpansion)) {
    if (stride != 1 || in != inner * kExpansion)
      downsample_ =
          &make_child<ConvNorm>("downsample", conv1x1(in, inner * kExpansion, stride), random, kInit);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
    y = conv_norm(conv2_, bn2_, y, forward, {Activation::relu});
    y = conv_norm(conv3_, bn3_, y, forward,
                  {Activation::relu, downsample_ ? downsample_->forward(x, forward) : x});
    return forward.node(path(), std::move(y));
  }

 private:
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  Conv2d& conv2_;
  BatchNorm2d& bn2_;
  Conv2d& conv3_;
  BatchNorm2d& bn3_;
  ConvNorm* downsample_ = nullptr;
};

struct StagePlan {
  bool bottleneck = false;
  std::array<std::int64_t, 4> blocks{};
};

class ResNet : public ImageModel {
 public:
  ResNet(const ModelSpec& spec, const StagePlan& plan, RandomStream& random)
      : ImageModel(spec),
        conv1_(make_child<Conv2d>("conv1",
                                  Conv2dOptions{.in = spec.in_channels,
                                                .out = scaled_channels(64, spec),
                                                .kernel = 7,
                                                .stride = 2,
                                                .padding = 3},
                                  random, kInit)),
        bn1_(make_child<BatchNorm2d>("bn1", scaled_channels(64, spec))) {
    std::int64_t in = scaled_channels(64, spec);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      stages_[s] = &make_child<Stage>("layer" + std::to_string(s + 1));
      const std::int64_t width = scaled_channels(std::int64_t{64} << s, spec);
      for (std::int64_t i = 0; i < plan.blocks[s]; ++i) {
        const std::int64_t stride = s > 0 && i == 0 ? 2 : 1;
        if (plan.bottleneck)
          stages_[s]->append<Bottleneck>(in, width, stride, random);
        else
          stages_[s]->append<BasicBlock>(ResidualOptions{.in = in, .out = width, .stride = stride}, random);
        in = plan.bottleneck ? width * kExpansion : width;
      }
    }
    fc_ = &make_child<Linear>("fc", in, spec.num_classes, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = model_input(std::move(input), spec(), forward);
    x = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
    x = forward.node("maxpool", at::max_pool2d(x, 3, 2, 1));
    for (Stage* stage : stages_) x = stage->forward(x, forward);
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "layer4"; }

 private:
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  std::array<Stage*, 4> stages_{};
  Linear* fc_ = nullptr;
};

template <const StagePlan& kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<ResNet>(spec, kPlan, random);
}

constexpr StagePlan kResNet18{.bottleneck = false, .blocks = {2, 2, 2, 2}};
constexpr StagePlan kResNet34{.bottleneck = false, .blocks = {3, 4, 6, 3}};
constexpr StagePlan kResNet50{.bottleneck = true, .blocks = {3, 4, 6, 3}};
constexpr StagePlan kResNet101{.bottleneck = true, .blocks = {3, 4, 23, 3}};

constexpr Architecture kResNets[] = {
    {"resnet18", kImageNetHabit, build<kResNet18>},
    {"resnet34", kImageNetHabit, build<kResNet34>},
    {"resnet50", kImageNetHabit, build<kResNet50>},
    {"resnet101", kImageNetHabit, build<kResNet101>},
};

}  // namespace

std::span<const Architecture> resnets() {
  return kResNets;
}

}  // namespace mgd
