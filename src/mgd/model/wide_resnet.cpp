
#include <array>
#include <charconv>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"
#include "mgd/model/block.h"

namespace mgd {

namespace {

// Pre-activation: norm and relu come before each convolution. Where the shape changes, the shortcut too
// starts from the activated input; elsewhere it is the plain input.
class WideBlock : public Block {
 public:
  WideBlock(std::int64_t in, std::int64_t out, std::int64_t stride, RandomStream& random)
      : bn1_(make_child<BatchNorm2d>("bn1", in)),
        conv1_(make_child<Conv2d>("conv1", conv3x3(in, out, stride), random, Init::kaiming_fan_out)),
        bn2_(make_child<BatchNorm2d>("bn2", out)),
        conv2_(make_child<Conv2d>("conv2", conv3x3(out, out), random, Init::kaiming_fan_out)) {
    if (in != out || stride != 1)
      shortcut_ =
          &make_child<Conv2d>("convShortcut", conv1x1(in, out, stride), random, Init::kaiming_fan_out);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor active = bn1_.forward(x, forward, {Activation::relu});
    at::Tensor y = conv_norm(conv1_, bn2_, active, forward, {Activation::relu});
    y = conv2_.forward(y, forward);
    y = y.add(shortcut_ ? shortcut_->forward(active, forward) : x);
    return forward.node(path(), std::move(y));
  }

 private:
  BatchNorm2d& bn1_;
  Conv2d& conv1_;
  BatchNorm2d& bn2_;
  Conv2d& conv2_;
  Conv2d* shortcut_ = nullptr;
};

// "block1.layer.0": the middle name belongs to the weights' names.
class WideStage : public Block {
 public:
  WideStage(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t blocks, RandomStream& random)
      : layer_(make_child<Stage>("layer")) {
    for (std::int64_t i = 0; i < blocks; ++i)
      layer_.append<WideBlock>(i == 0 ? in : out, out, i == 0 ? stride : 1, random);
  }
  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    return forward.node(path(), layer_.forward(x, forward));
  }

 private:
  Stage& layer_;
};

class WideResNet : public ImageModel {
 public:
  WideResNet(const ModelSpec& spec, std::int64_t blocks, std::int64_t widen, RandomStream& random)
      : ImageModel(spec),
        conv1_(make_child<Conv2d>("conv1", conv3x3(spec.in_channels, scaled_channels(16, spec)), random,
                                  Init::kaiming_fan_out)) {
    std::int64_t in = scaled_channels(16, spec);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const std::int64_t out = scaled_channels((std::int64_t{16} << s) * widen, spec);
      stages_[s] =
          &make_child<WideStage>("block" + std::to_string(s + 1), in, out, s == 0 ? 1 : 2, blocks, random);
      in = out;
    }
    bn1_ = &make_child<BatchNorm2d>("bn1", in);
    fc_ = &make_child<Linear>("fc", in, spec.num_classes, random);
    for (const NamedTensor& entry : fc_->parameters())
      if (entry.kind == TensorKind::bias) entry.tensor.detach().zero_();
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = conv1_.forward(model_input(std::move(input), spec(), forward), forward);
    for (WideStage* stage : stages_) x = stage->forward(x, forward);
    x = bn1_->forward(x, forward, {Activation::relu});
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "block3"; }

 private:
  Conv2d& conv1_;
  std::array<WideStage*, 3> stages_{};
  BatchNorm2d* bn1_ = nullptr;
  Linear* fc_ = nullptr;
};

// 1 ... 9999; nothing for anything else.
std::optional<std::int64_t> small_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > 9999)
    return std::nullopt;
  return value;
}

struct WideSize {
  std::int64_t depth, widen;
};

// wrn_{depth}_{widen} -> its numbers; nothing when the name is not of that form.
std::optional<WideSize> wide_size(std::string_view name) {
  constexpr std::string_view kPrefix = "wrn_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const std::size_t bar = name.find('_');
  if (bar == std::string_view::npos) return std::nullopt;
  const auto depth = small_number(name.substr(0, bar)), widen = small_number(name.substr(bar + 1));
  if (!depth || !widen) return std::nullopt;
  return WideSize{*depth, *widen};
}

std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  const WideSize size = wide_size(spec.architecture).value();
  if (size.depth < 10 || (size.depth - 4) % 6 != 0)
    fail(ExitCode::usage, "model '{}': depth: got {}, expected 4 + 6 n, such as 10, 16, 22, 28 or 40{}",
         spec.architecture, size.depth, suggestion(spec.architecture, known_models()));
  if (size.depth > 1000 || size.widen > 64)
    fail(ExitCode::usage, "model '{}': got depth {} and width {}, expected at most 1000 and 64",
         spec.architecture, size.depth, size.widen);
  return std::make_unique<WideResNet>(spec, (size.depth - 4) / 6, size.widen, random);
}

constexpr Architecture kWideResNets[] = {
    {"wrn_10_1", kCifarHabit, build}, {"wrn_16_1", kCifarHabit, build}, {"wrn_16_2", kCifarHabit, build},
    {"wrn_16_4", kCifarHabit, build}, {"wrn_28_2", kCifarHabit, build}, {"wrn_28_10", kCifarHabit, build},
    {"wrn_40_1", kCifarHabit, build}, {"wrn_40_2", kCifarHabit, build},
};

}  // namespace

std::span<const Architecture> wide_resnets() {
  return kWideResNets;
}

bool is_wide_resnet_name(std::string_view name) {
  return wide_size(name).has_value();
}

}  // namespace mgd
