// VGG (Simonyan and Zisserman, ICLR 2015) under timm's names. Its two hidden layers are convolutions, which
// is the same as the original's for pictures of up to 224 pixels; larger ones give several answers, which are
// averaged.
#include <ATen/ops/adaptive_avg_pool2d.h>
#include <ATen/ops/relu.h>

#include <algorithm>
#include <array>

#include "mgd/model/architectures.h"
#include "mgd/model/numbered_layers.h"
#include "mgd/model/renaming.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_out;
constexpr std::int64_t kHidden = 4096, kWindow = 7;
constexpr double kDropout = 0.5;  // section 3.1 of the paper

struct VggPlan {
  std::array<std::int64_t, 5> convolutions{};  // of each stage
  bool norm = false;
};

// "pre_logits": a 7x7 convolution and a 1x1 convolution.
class HiddenLayers : public Block {
 public:
  HiddenLayers(std::int64_t in, std::int64_t hidden, RandomStream& random)
      : fc1_(make_child<Conv2d>(
            "fc1", Conv2dOptions{.in = in, .out = hidden, .kernel = kWindow, .bias = true}, random, kInit)),
        drop_(make_child<Dropout>("drop", kDropout)),
        fc2_(make_child<Conv2d>("fc2", Conv2dOptions{.in = hidden, .out = hidden, .kernel = 1, .bias = true},
                                random, kInit)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = at_least_a_window(x);
    y = drop_.forward(at::relu(fc1_.forward(y, forward)), forward);
    return forward.node(path(), at::relu(fc2_.forward(y, forward)));
  }

 private:
  // Values of a smaller map are repeated, as much as whole numbers allow.
  static at::Tensor at_least_a_window(const at::Tensor& x) {
    const std::int64_t height = std::max(kWindow, x.size(2)), width = std::max(kWindow, x.size(3));
    return height == x.size(2) && width == x.size(3) ? x : at::adaptive_avg_pool2d(x, {height, width});
  }

  Conv2d& fc1_;
  Dropout& drop_;
  Conv2d& fc2_;
};

class Vgg : public ImageModel {
 public:
  Vgg(const ModelSpec& spec, const VggPlan& plan, RandomStream& random)
      : ImageModel(spec), features_(make_child<NumberedLayers>("features", kInit)) {
    std::int64_t in = spec.in_channels;
    for (std::size_t s = 0; s < plan.convolutions.size(); ++s) {
      const std::int64_t out = scaled_channels(std::min<std::int64_t>(64 << s, 512), spec);
      for (std::int64_t i = 0; i < plan.convolutions[s]; ++i) {
        Conv2dOptions options = conv3x3(in, out);
        options.bias = true;
        features_.append({.conv = options, .norm = plan.norm}, random);
        in = out;
      }
      features_.append_max_pool();
    }
    const std::int64_t hidden = scaled_channels(kHidden, spec);
    hidden_ = &make_child<HiddenLayers>("pre_logits", in, hidden, random);
    fc_ = &make_child<Linear>("head.fc", hidden, spec.num_classes, random, Init::normal_001);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = model_input(std::move(input), spec(), forward, /*smallest=*/32);
    x = hidden_->forward(features_.forward(x, forward), forward);
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "features"; }

 private:
  NumberedLayers& features_;
  HiddenLayers* hidden_ = nullptr;
  Linear* fc_ = nullptr;
};

constexpr Renaming kTorchvisionNames[] = {
    {"pre_logits.fc1", "classifier.0"},
    {"pre_logits.fc2", "classifier.3"},
    {"head.fc", "classifier.6"},
};

// There the hidden layers are matrices.
TensorOutline in_torchvision(const TensorOutline& own) {
  TensorOutline other = own;
  other.name = renamed(own.name, kTorchvisionNames);
  if (own.name.starts_with("pre_logits.") && own.shape.size() == 4)
    other.shape = {own.shape[0], own.shape[1] * own.shape[2] * own.shape[3]};
  return other;
}

template <VggPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<Vgg>(spec, kPlan, random);
}

constexpr Architecture in_both(std::string_view name, const Habit& habit, BuildModel* build) {
  return {.name = name, .habit = habit, .build = build, .other_tensor = in_torchvision};
}

constexpr Architecture kVggs[] = {
    in_both("vgg11", kImageNetHabit, build<VggPlan{{1, 1, 2, 2, 2}}>),
    in_both("vgg11_bn", kImageNetHabit, build<VggPlan{{1, 1, 2, 2, 2}, true}>),
    in_both("vgg13", kImageNetHabit, build<VggPlan{{2, 2, 2, 2, 2}}>),
    in_both("vgg13_bn", kImageNetHabit, build<VggPlan{{2, 2, 2, 2, 2}, true}>),
    in_both("vgg16", kImageNetHabit, build<VggPlan{{2, 2, 3, 3, 3}}>),
    in_both("vgg16_bn", kImageNetHabit, build<VggPlan{{2, 2, 3, 3, 3}, true}>),
    in_both("vgg19", kImageNetHabit, build<VggPlan{{2, 2, 4, 4, 4}}>),
    in_both("vgg19_bn", kImageNetHabit, build<VggPlan{{2, 2, 4, 4, 4}, true}>),
};

}  // namespace

std::span<const Architecture> vggs() {
  return kVggs;
}

}  // namespace mgd
