// DenseNet-BC (Huang et al., CVPR 2017) under the names of torchvision and timm.
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/max_pool2d.h>

#include <array>
#include <vector>

#include "mgd/model/architectures.h"
#include "mgd/model/block.h"
#include "mgd/model/renaming.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_in;
constexpr std::int64_t kBottleneck = 4;  // inner width over the growth

struct DenseNetPlan {
  std::array<std::int64_t, 4> layers{};  // of each block
  std::int64_t growth = 32;
};

// Norm and activation come before each convolution: (B, in, Y, X) -> (B, growth, Y, X), the new channels
// alone.
class DenseLayer : public Block {
 public:
  DenseLayer(std::int64_t in, std::int64_t growth, RandomStream& random)
      : norm1_(make_child<BatchNorm2d>("norm1", in)),
        conv1_(make_child<Conv2d>("conv1", conv1x1(in, kBottleneck * growth), random, kInit)),
        norm2_(make_child<BatchNorm2d>("norm2", kBottleneck * growth)),
        conv2_(make_child<Conv2d>("conv2", conv3x3(kBottleneck * growth, growth), random, kInit)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = norm1_.forward(x, forward, {Activation::relu});
    y = conv_norm(conv1_, norm2_, y, forward, {Activation::relu});
    return forward.node(path(), conv2_.forward(y, forward));
  }

 private:
  BatchNorm2d& norm1_;
  Conv2d& conv1_;
  BatchNorm2d& norm2_;
  Conv2d& conv2_;
};

// Every layer sees the input and what all layers before it added.
class DenseBlock : public Block {
 public:
  DenseBlock(std::int64_t in, std::int64_t growth, std::int64_t layers, RandomStream& random) {
    for (std::int64_t i = 0; i < layers; ++i)
      layers_.push_back(
          &make_child<DenseLayer>("denselayer" + std::to_string(i + 1), in + i * growth, growth, random));
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor all = x;
    for (DenseLayer* layer : layers_) all = at::cat({all, layer->forward(all, forward)}, 1);
    return forward.node(path(), std::move(all));
  }

 private:
  std::vector<DenseLayer*> layers_;
};

class Transition : public Block {
 public:
  Transition(std::int64_t in, std::int64_t out, RandomStream& random)
      : norm_(make_child<BatchNorm2d>("norm", in)),
        conv_(make_child<Conv2d>("conv", conv1x1(in, out), random, kInit)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor y = conv_.forward(norm_.forward(x, forward, {Activation::relu}), forward);
    return forward.node(path(), at::avg_pool2d(y, 2, 2));
  }

 private:
  BatchNorm2d& norm_;
  Conv2d& conv_;
};

// "features": conv0, norm0, then blocks with transitions between them, and norm5.
class DenseFeatures : public Block {
 public:
  DenseFeatures(const ModelSpec& spec, const DenseNetPlan& plan, RandomStream& random) {
    const std::int64_t growth = scaled_channels(plan.growth, spec);
    std::int64_t channels = 2 * growth;
    conv0_ = &make_child<Conv2d>(
        "conv0",
        Conv2dOptions{.in = spec.in_channels, .out = channels, .kernel = 7, .stride = 2, .padding = 3},
        random, kInit);
    norm0_ = &make_child<BatchNorm2d>("norm0", channels);
    for (std::size_t s = 0; s < plan.layers.size(); ++s) {
      if (s > 0) {
        blocks_.push_back(
            &make_child<Transition>("transition" + std::to_string(s), channels, channels / 2, random));
        channels /= 2;
      }
      blocks_.push_back(&make_child<DenseBlock>("denseblock" + std::to_string(s + 1), channels, growth,
                                                plan.layers[s], random));
      channels += growth * plan.layers[s];
    }
    norm5_ = &make_child<BatchNorm2d>("norm5", channels);
    out_ = channels;
  }

  std::int64_t out() const { return out_; }  // channels

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = conv_norm(*conv0_, *norm0_, x, forward, {Activation::relu});
    y = forward.node(path() + ".pool0", at::max_pool2d(y, 3, 2, 1));
    for (Block* block : blocks_) y = block->forward(y, forward);
    return forward.node(path(), norm5_->forward(y, forward, {Activation::relu}));
  }

 private:
  Conv2d* conv0_ = nullptr;
  BatchNorm2d* norm0_ = nullptr;
  std::vector<Block*> blocks_;
  BatchNorm2d* norm5_ = nullptr;
  std::int64_t out_ = 0;
};

class DenseNet : public ImageModel {
 public:
  DenseNet(const ModelSpec& spec, const DenseNetPlan& plan, RandomStream& random)
      : ImageModel(spec),
        features_(make_child<DenseFeatures>("features", spec, plan, random)),
        classifier_(make_child<Linear>("classifier", features_.out(), spec.num_classes, random)) {}

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    // Two halvings, rounded up, and three, rounded down.
    const at::Tensor x = model_input(std::move(input), spec(), forward, /*smallest=*/29);
    return classifier_.forward(global_pool(features_.forward(x, forward), forward), forward);
  }

  std::string default_tap() const override { return "features"; }

 private:
  DenseFeatures& features_;
  Linear& classifier_;
};

// Of torchvision's first releases, whose weights are still served.
constexpr Renaming kFirstNames[] = {
    {"features.denseblock{0}.denselayer{1}.norm1", "features.denseblock{0}.denselayer{1}.norm.1"},
    {"features.denseblock{0}.denselayer{1}.conv1", "features.denseblock{0}.denselayer{1}.conv.1"},
    {"features.denseblock{0}.denselayer{1}.norm2", "features.denseblock{0}.denselayer{1}.norm.2"},
    {"features.denseblock{0}.denselayer{1}.conv2", "features.denseblock{0}.denselayer{1}.conv.2"},
};

TensorOutline as_at_first(const TensorOutline& own) {
  TensorOutline other = own;
  other.name = renamed(own.name, kFirstNames);
  return other;
}

template <DenseNetPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<DenseNet>(spec, kPlan, random);
}

constexpr Architecture row(std::string_view name, BuildModel* build) {
  return {.name = name, .habit = kBicubicHabit, .build = build, .other_tensor = as_at_first};
}

constexpr Architecture kDenseNets[] = {
    row("densenet121", build<DenseNetPlan{{6, 12, 24, 16}}>),
    row("densenet161", build<DenseNetPlan{{6, 12, 36, 24}, 48}>),
    row("densenet169", build<DenseNetPlan{{6, 12, 32, 32}}>),
    row("densenet201", build<DenseNetPlan{{6, 12, 48, 32}}>),
};

}  // namespace

std::span<const Architecture> densenets() {
  return kDenseNets;
}

}  // namespace mgd
