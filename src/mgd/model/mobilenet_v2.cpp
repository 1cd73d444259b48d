// MobileNetV2 (Sandler et al., CVPR 2018) under torchvision's names.
#include <algorithm>

#include "mgd/model/architectures.h"
#include "mgd/model/block.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_out;

struct InvertedOptions {
  std::int64_t in = 0, out = 0, stride = 1, expansion = 1;
  std::int64_t hidden() const { return in * expansion; }
};

// "conv" of a block: [expand 1x1,] depthwise 3x3, project 1x1 and its norm, in one row of names.
class InvertedLayers : public Block {
 public:
  InvertedLayers(InvertedOptions options, RandomStream& random) {
    const std::int64_t hidden = options.hidden();
    auto next = [this] { return std::to_string(next_++); };
    if (options.expansion != 1)
      expand_ = &make_child<ConvNorm>(next(), conv1x1(options.in, hidden), random, kInit, Activation::relu6);
    Conv2dOptions depthwise = conv3x3(hidden, hidden, options.stride);
    depthwise.groups = hidden;
    depthwise_ = &make_child<ConvNorm>(next(), depthwise, random, kInit, Activation::relu6);
    project_ = &make_child<Conv2d>(next(), conv1x1(hidden, options.out), random, kInit);
    norm_ = &make_child<BatchNorm2d>(next(), options.out);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = expand_ ? expand_->forward(x, forward) : x;
    y = conv_norm(*project_, *norm_, depthwise_->forward(y, forward), forward);
    return forward.node(path(), y);
  }

 private:
  int next_ = 0;
  ConvNorm *expand_ = nullptr, *depthwise_ = nullptr;
  Conv2d* project_ = nullptr;
  BatchNorm2d* norm_ = nullptr;
};

class InvertedResidual : public Block {
 public:
  InvertedResidual(InvertedOptions options, RandomStream& random)
      : layers_(make_child<InvertedLayers>("conv", options, random)),
        residual_(options.stride == 1 && options.in == options.out) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = layers_.forward(x, forward);
    return forward.node(path(), residual_ ? x.add(y) : y);
  }

 private:
  InvertedLayers& layers_;
  bool residual_;
};

class Classifier : public Module {
 public:
  Classifier(std::int64_t in, std::int64_t out, RandomStream& random)
      : dropout_(make_child<Dropout>("0", 0.2)),
        linear_(make_child<Linear>("1", in, out, random, Init::normal_001)) {}
  at::Tensor forward(const at::Tensor& x, Forward& forward) {
    return linear_.forward(dropout_.forward(x, forward), forward);
  }

 private:
  Dropout& dropout_;
  Linear& linear_;
};

class MobileNetV2 : public ImageModel {
 public:
  MobileNetV2(const ModelSpec& spec, RandomStream& random)
      : ImageModel(spec), features_(make_child<Stage>("features")) {
    struct Row {
      std::int64_t expansion, channels, blocks, stride;
    };
    constexpr Row kRows[] = {{1, 16, 1, 1}, {6, 24, 2, 2},  {6, 32, 3, 2}, {6, 64, 4, 2},
                             {6, 96, 3, 1}, {6, 160, 3, 2}, {6, 320, 1, 1}};  // table 2 of the paper
    std::int64_t in = nearest_multiple(32 * spec.width);
    features_.append<ConvNorm>(conv3x3(spec.in_channels, in, 2), random, kInit, Activation::relu6);
    for (const Row& row : kRows) {
      const std::int64_t out = nearest_multiple(static_cast<double>(row.channels) * spec.width);
      for (std::int64_t i = 0; i < row.blocks; ++i) {
        const InvertedOptions options{
            .in = in, .out = out, .stride = i == 0 ? row.stride : 1, .expansion = row.expansion};
        features_.append<InvertedResidual>(options, random);
        in = out;
      }
    }
    // The last layer does not shrink with the network (section 4 of the paper).
    const std::int64_t last = nearest_multiple(1280 * std::max(1.0, spec.width));
    features_.append<ConvNorm>(conv1x1(in, last), random, kInit, Activation::relu6);
    classifier_ = &make_child<Classifier>("classifier", last, spec.num_classes, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    const at::Tensor x = features_.forward(model_input(std::move(input), spec(), forward), forward);
    return classifier_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "features"; }

 private:
  Stage& features_;
  Classifier* classifier_ = nullptr;
};

std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<MobileNetV2>(spec, random);
}

constexpr Architecture kMobileNetsV2[] = {{"mobilenet_v2", kImageNetHabit, build}};

}  // namespace

std::span<const Architecture> mobilenets_v2() {
  return kMobileNetsV2;
}

}  // namespace mgd
