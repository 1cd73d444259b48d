// ConvNeXt (Liu et al., CVPR 2022) under timm's names.
#include <ATen/ops/full.h>
#include <ATen/ops/gelu.h>

#include <array>

#include "mgd/model/architectures.h"
#include "mgd/model/block.h"
#include "mgd/model/renaming.h"
#include "mgd/nn/map_layers.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::normal_002;
constexpr double kEps = 1e-6, kLayerScale = 1e-6;

struct ConvNextPlan {
  std::array<std::int64_t, 4> blocks{}, channels{};
  bool flat = true;  // the perceptrons' weights are stored (out, in)
};

Conv2dOptions patches(std::int64_t in, std::int64_t out, std::int64_t side) {
  return {.in = in, .out = out, .kernel = side, .stride = side, .bias = true};
}

// "mlp": every pixel by itself, through four times its width.
class PixelPerceptron : public Block {
 public:
  PixelPerceptron(std::int64_t channels, bool flat, RandomStream& random)
      : fc1_(make_child<PixelLinear>(
            "fc1", PixelLinearOptions{.in = channels, .out = 4 * channels, .flat = flat}, random)),
        fc2_(make_child<PixelLinear>(
            "fc2", PixelLinearOptions{.in = 4 * channels, .out = channels, .flat = flat}, random)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor hidden = at::gelu(fc1_.forward(x, forward));
    return forward.node(path(), fc2_.forward(hidden, forward));
  }

 private:
  PixelLinear &fc1_, &fc2_;
};

// x + gamma * mlp(norm(conv_dw(x))): figure 4 of the paper.
class ConvNextBlock : public Block {
 public:
  ConvNextBlock(std::int64_t channels, bool flat, RandomStream& random)
      : conv_dw_(make_child<Conv2d>(
            "conv_dw",
            Conv2dOptions{
                .in = channels, .out = channels, .kernel = 7, .padding = 3, .groups = channels, .bias = true},
            random, kInit)),
        norm_(make_child<MapNorm>("norm", channels, kEps)),
        mlp_(make_child<PixelPerceptron>("mlp", channels, flat, random)),
        gamma_(add_parameter("gamma", at::full({channels}, kLayerScale, at::kFloat), TensorKind::norm)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor y = mlp_.forward(norm_.forward(conv_dw_.forward(x, forward), forward), forward);
    return forward.node(path(), x.add(y.mul(gamma_.view({-1, 1, 1}))));
  }

 private:
  Conv2d& conv_dw_;
  MapNorm& norm_;
  PixelPerceptron& mlp_;
  at::Tensor& gamma_;  // (C)
};

// Children "0" and "1": norm, then non-overlapping patches; in the stem the other way round.
class Patches : public Block {
 public:
  Patches(Conv2dOptions options, bool norm_first, RandomStream& random) : norm_first_(norm_first) {
    if (norm_first) norm_ = &make_child<MapNorm>("0", options.in, kEps);
    conv_ = &make_child<Conv2d>(norm_first ? "1" : "0", options, random, kInit);
    if (!norm_first) norm_ = &make_child<MapNorm>("1", options.out, kEps);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    return forward.node(path(), norm_first_ ? conv_->forward(norm_->forward(x, forward), forward)
                                            : norm_->forward(conv_->forward(x, forward), forward));
  }

 private:
  bool norm_first_;
  MapNorm* norm_ = nullptr;
  Conv2d* conv_ = nullptr;
};

class ConvNextStage : public Block {
 public:
  ConvNextStage(std::int64_t in, std::int64_t out, std::int64_t blocks, bool flat, RandomStream& random) {
    if (in != 0) downsample_ = &make_child<Patches>("downsample", patches(in, out, 2), true, random);
    blocks_ = &make_child<Stage>("blocks");
    for (std::int64_t i = 0; i < blocks; ++i) blocks_->append<ConvNextBlock>(out, flat, random);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    return forward.node(path(),
                        blocks_->forward(downsample_ ? downsample_->forward(x, forward) : x, forward));
  }

 private:
  Patches* downsample_ = nullptr;  // not in the first stage
  Stage* blocks_ = nullptr;
};

class ConvNext : public ImageModel {
 public:
  ConvNext(const ModelSpec& spec, const ConvNextPlan& plan, RandomStream& random)
      : ImageModel(spec),
        stem_(make_child<Patches>(
            "stem", patches(spec.in_channels, scaled_channels(plan.channels[0], spec), 4), false, random)),
        stages_(make_child<Stage>("stages")) {
    std::int64_t in = 0;
    for (std::size_t s = 0; s < plan.blocks.size(); ++s) {
      const std::int64_t out = scaled_channels(plan.channels[s], spec);
      stages_.append<ConvNextStage>(in, out, plan.blocks[s], plan.flat, random);
      in = out;
    }
    norm_ = &make_child<LayerNorm>("head.norm", in, kEps, /*bias=*/true);
    fc_ = &make_child<Linear>("head.fc", LinearOptions{.in = in, .out = spec.num_classes}, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    // A fourth and three halvings, rounded down.
    const at::Tensor x = model_input(std::move(input), spec(), forward, /*smallest=*/32);
    const at::Tensor pooled = global_pool(stages_.forward(stem_.forward(x, forward), forward), forward);
    return fc_->forward(norm_->forward(pooled, forward), forward);
  }

  std::string default_tap() const override { return "stages"; }

 private:
  Patches& stem_;
  Stage& stages_;
  LayerNorm* norm_ = nullptr;
  Linear* fc_ = nullptr;
};

constexpr Renaming kTorchvisionNames[] = {
    {"stem", "features.0"},
    {"stages.{0}.downsample", "features.{0*2}"},
    {"stages.{0}.blocks.{1}.conv_dw", "features.{0*2+1}.{1}.block.0"},
    {"stages.{0}.blocks.{1}.norm", "features.{0*2+1}.{1}.block.2"},
    {"stages.{0}.blocks.{1}.mlp.fc1", "features.{0*2+1}.{1}.block.3"},
    {"stages.{0}.blocks.{1}.mlp.fc2", "features.{0*2+1}.{1}.block.5"},
    {"stages.{0}.blocks.{1}.gamma", "features.{0*2+1}.{1}.layer_scale"},
    {"head.norm", "classifier.0"},
    {"head.fc", "classifier.2"},
};

TensorOutline in_torchvision(const TensorOutline& own) {
  TensorOutline other = own;
  other.name = renamed(own.name, kTorchvisionNames);
  if (own.name.ends_with(".gamma")) other.shape = {own.shape[0], 1, 1};
  return other;
}

template <ConvNextPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<ConvNext>(spec, kPlan, random);
}

constexpr Architecture in_both(std::string_view name, const Habit& habit, BuildModel* build) {
  return {.name = name, .habit = habit, .build = build, .other_tensor = in_torchvision};
}

constexpr Architecture kConvNexts[] = {
    {"convnext_atto", kBicubicHabit, build<ConvNextPlan{{2, 2, 6, 2}, {40, 80, 160, 320}, false}>},
    {"convnext_femto", kBicubicHabit, build<ConvNextPlan{{2, 2, 6, 2}, {48, 96, 192, 384}, false}>},
    {"convnext_pico", kBicubicHabit, build<ConvNextPlan{{2, 2, 6, 2}, {64, 128, 256, 512}, false}>},
    {"convnext_nano", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<ConvNextPlan{{2, 2, 8, 2}, {80, 160, 320, 640}, false}>},
    in_both("convnext_tiny", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
            build<ConvNextPlan{{3, 3, 9, 3}, {96, 192, 384, 768}}>),
    in_both("convnext_small", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
            build<ConvNextPlan{{3, 3, 27, 3}, {96, 192, 384, 768}}>),
    in_both("convnext_base", kBicubicHabit, build<ConvNextPlan{{3, 3, 27, 3}, {128, 256, 512, 1024}}>),
};

}  // namespace

std::span<const Architecture> convnexts() {
  return kConvNexts;
}

}  // namespace mgd
