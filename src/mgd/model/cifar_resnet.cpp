// ResNets for small images: a 3x3 stem without pooling and three stages. The option-A and the projected
// family differ in widths, shortcuts, initialisation and the classifier's name only.
#include <array>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"
#include "mgd/model/residual.h"

namespace mgd {

namespace {

struct SmallImageOptions {
  std::int64_t depth = 8;  // 6n + 2: stem, three stages of n blocks with two convolutions, classifier
  std::int64_t stem = 16;
  std::array<std::int64_t, 3> widths{16, 32, 64};
  Shortcut shortcut = Shortcut::pad;
  Init conv_init = Init::kaiming_fan_in, classifier_init = Init::kaiming_fan_in;
  std::string classifier = "linear";
};

class SmallImageResNet : public ImageModel {
 public:
  SmallImageResNet(const ModelSpec& spec, const SmallImageOptions& options, RandomStream& random)
      : ImageModel(spec),
        conv1_(make_child<Conv2d>("conv1", conv3x3(spec.in_channels, scaled_channels(options.stem, spec)),
                                  random, options.conv_init)),
        bn1_(make_child<BatchNorm2d>("bn1", scaled_channels(options.stem, spec))) {
    MGD_ASSERT((options.depth - 2) % 6 == 0);
    std::int64_t in = scaled_channels(options.stem, spec);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      stages_[s] = &make_child<Stage>("layer" + std::to_string(s + 1));
      const std::int64_t out = scaled_channels(options.widths[s], spec);
      for (std::int64_t i = 0; i < (options.depth - 2) / 6; ++i) {
        const std::int64_t stride = s > 0 && i == 0 ? 2 : 1;
        stages_[s]->append<BasicBlock>(ResidualOptions{.in = in,
                                                       .out = out,
                                                       .stride = stride,
                                                       .shortcut = options.shortcut,
                                                       .init = options.conv_init},
                                       random);
        in = out;
      }
    }
    classifier_ =
        &make_child<Linear>(options.classifier, in, spec.num_classes, random, options.classifier_init);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = model_input(std::move(input), spec(), forward);
    x = conv_norm(conv1_, bn1_, x, forward, {Activation::relu});
    for (Stage* stage : stages_) x = stage->forward(x, forward);
    return classifier_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "layer3"; }

 private:
  Conv2d& conv1_;
  BatchNorm2d& bn1_;
  std::array<Stage*, 3> stages_{};
  Linear* classifier_ = nullptr;
};

template <std::int64_t kDepth>
std::unique_ptr<ImageModel> plain(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<SmallImageResNet>(spec, SmallImageOptions{.depth = kDepth}, random);
}

template <std::int64_t kDepth>
std::unique_ptr<ImageModel> projected(const ModelSpec& spec, SmallImageOptions options,
                                      RandomStream& random) {
  options.depth = kDepth;
  options.shortcut = Shortcut::project;
  options.conv_init = Init::kaiming_fan_out;
  options.classifier_init = Init::torch_default;
  options.classifier = "fc";
  return std::make_unique<SmallImageResNet>(spec, options, random);
}

template <std::int64_t kDepth>
std::unique_ptr<ImageModel> times1(const ModelSpec& spec, RandomStream& random) {
  return projected<kDepth>(spec, {}, random);
}

template <std::int64_t kDepth>
std::unique_ptr<ImageModel> times4(const ModelSpec& spec, RandomStream& random) {
  return projected<kDepth>(spec, {.stem = 32, .widths = {64, 128, 256}}, random);
}

constexpr Architecture kCifarResNets[] = {
    {"cifar_resnet8", kCifarHabit, plain<8>},     {"cifar_resnet14", kCifarHabit, plain<14>},
    {"cifar_resnet20", kCifarHabit, plain<20>},   {"cifar_resnet32", kCifarHabit, plain<32>},
    {"cifar_resnet44", kCifarHabit, plain<44>},   {"cifar_resnet56", kCifarHabit, plain<56>},
    {"cifar_resnet110", kCifarHabit, plain<110>},
};

constexpr Architecture kProjectedResNets[] = {
    {"resnet8", kCifarHabit, times1<8>},     {"resnet14", kCifarHabit, times1<14>},
    {"resnet20", kCifarHabit, times1<20>},   {"resnet32", kCifarHabit, times1<32>},
    {"resnet44", kCifarHabit, times1<44>},   {"resnet56", kCifarHabit, times1<56>},
    {"resnet110", kCifarHabit, times1<110>}, {"resnet8x4", kCifarHabit, times4<8>},
    {"resnet14x4", kCifarHabit, times4<14>}, {"resnet20x4", kCifarHabit, times4<20>},
    {"resnet32x4", kCifarHabit, times4<32>},
};

}  // namespace

std::span<const Architecture> cifar_resnets() {
  return kCifarResNets;
}

std::span<const Architecture> projected_cifar_resnets() {
  return kProjectedResNets;
}

}  // namespace mgd
