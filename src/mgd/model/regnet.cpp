// RegNetX and RegNetY (Radosavovic et al., CVPR 2020) under timm's names.
#include <algorithm>
#include <array>
#include <cmath>

#include "mgd/model/architectures.h"
#include "mgd/model/block.h"
#include "mgd/model/renaming.h"
#include "mgd/nn/squeeze_excite.h"

namespace mgd {

namespace {

constexpr Init kInit = Init::kaiming_fan_out;

struct RegNetPlan {
  std::array<std::int64_t, 4> blocks{}, channels{};
  std::int64_t group_width = 8;  // channels of a group, or all of a stage where it has fewer
  bool squeeze = false;          // RegNetY
};

struct RegBlockOptions {
  std::int64_t in = 0, out = 0, stride = 1, groups = 1;
  bool squeeze = false;
};

// "conv" and "bn", then the activation.
class RegUnit : public Block {
 public:
  RegUnit(Conv2dOptions options, Activation activation, RandomStream& random)
      : conv_(make_child<Conv2d>("conv", options, random, kInit)),
        norm_(make_child<BatchNorm2d>("bn", options.out)),
        activation_(activation) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override { return this->forward(x, {}, forward); }
  at::Tensor forward(const at::Tensor& x, const at::Tensor& shortcut, Forward& forward) {
    return forward.node(path(), conv_norm(conv_, norm_, x, forward, {activation_, shortcut}));
  }

 private:
  Conv2d& conv_;
  BatchNorm2d& norm_;
  Activation activation_;
};

// Halves go to the even number, as in Python, and nothing to 0.
std::int64_t quarter(std::int64_t channels) {
  return std::max<std::int64_t>(1, std::llrint(static_cast<double>(channels) / 4));
}

Conv2dOptions grouped(const RegBlockOptions& o) {
  Conv2dOptions options = conv3x3(o.out, o.out, o.stride);
  options.groups = o.groups;
  return options;
}

// Figure 4 of the paper, without a bottleneck's narrowing.
class RegBlock : public Block {
 public:
  RegBlock(const RegBlockOptions& o, RandomStream& random)
      : conv1_(make_child<RegUnit>("conv1", conv1x1(o.in, o.out), Activation::relu, random)),
        conv2_(make_child<RegUnit>("conv2", grouped(o), Activation::relu, random)) {
    if (o.squeeze)
      se_ = &make_child<SqueezeExcite>(
          "se",
          SqueezeExciteOptions{
              .channels = o.out, .reduced = quarter(o.in), .init = kInit, .reduce = "fc1", .expand = "fc2"},
          random);
    conv3_ = &make_child<Conv2d>("conv3.conv", conv1x1(o.out, o.out), random, kInit);
    norm3_ = &make_child<BatchNorm2d>("conv3.bn", o.out);
    if (o.in != o.out || o.stride != 1)
      downsample_ =
          &make_child<RegUnit>("downsample", conv1x1(o.in, o.out, o.stride), Activation::none, random);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = conv2_.forward(conv1_.forward(x, forward), forward);
    if (se_) y = se_->forward(y, forward);
    y = conv_norm(*conv3_, *norm3_, y, forward,
                  {Activation::relu, downsample_ ? downsample_->forward(x, forward) : x});
    return forward.node(path(), std::move(y));
  }

 private:
  RegUnit &conv1_, &conv2_;
  SqueezeExcite* se_ = nullptr;
  Conv2d* conv3_ = nullptr;  // its unit ends in the block's own activation
  BatchNorm2d* norm3_ = nullptr;
  RegUnit* downsample_ = nullptr;
};

// Blocks "b1", "b2", ...
class RegStage : public Block {
 public:
  RegStage(RegBlockOptions first, std::int64_t blocks, RandomStream& random) {
    RegBlockOptions options = first;
    for (std::int64_t i = 0; i < blocks; ++i) {
      blocks_.push_back(&make_child<RegBlock>("b" + std::to_string(i + 1), options, random));
      options.in = first.out;
      options.stride = 1;
    }
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = x;
    for (RegBlock* block : blocks_) y = block->forward(y, forward);
    return forward.node(path(), std::move(y));
  }

 private:
  std::vector<RegBlock*> blocks_;
};

// Channels of a stage under spec.width: whole groups.
struct StageWidth {
  std::int64_t channels, groups;
};
StageWidth stage_width(std::int64_t channels, std::int64_t group_width, const ModelSpec& spec) {
  const std::int64_t scaled = scaled_channels(channels, spec), group = std::min(group_width, scaled);
  const std::int64_t groups =
      std::llround(static_cast<double>(scaled) / static_cast<double>(group));  // at least 1
  return {groups * group, groups};
}

class RegNet : public ImageModel {
 public:
  RegNet(const ModelSpec& spec, const RegNetPlan& plan, RandomStream& random)
      : ImageModel(spec),
        stem_(make_child<RegUnit>("stem", conv3x3(spec.in_channels, scaled_channels(32, spec), 2),
                                  Activation::relu, random)) {
    std::int64_t in = scaled_channels(32, spec);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const StageWidth width = stage_width(plan.channels[s], plan.group_width, spec);
      const RegBlockOptions first{
          .in = in, .out = width.channels, .stride = 2, .groups = width.groups, .squeeze = plan.squeeze};
      stages_[s] = &make_child<RegStage>("s" + std::to_string(s + 1), first, plan.blocks[s], random);
      in = width.channels;
    }
    fc_ = &make_child<Linear>("head.fc", in, spec.num_classes, random, Init::normal_001);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = stem_.forward(model_input(std::move(input), spec(), forward), forward);
    for (RegStage* stage : stages_) x = stage->forward(x, forward);
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "s4"; }

 private:
  RegUnit& stem_;
  std::array<RegStage*, 4> stages_{};
  Linear* fc_ = nullptr;
};

constexpr Renaming kTorchvisionNames[] = {
    {"stem.conv", "stem.0"},
    {"stem.bn", "stem.1"},
    {"s{0}.b{1}.conv1.conv", "trunk_output.block{0}.block{0}-{1-1}.f.a.0"},
    {"s{0}.b{1}.conv1.bn", "trunk_output.block{0}.block{0}-{1-1}.f.a.1"},
    {"s{0}.b{1}.conv2.conv", "trunk_output.block{0}.block{0}-{1-1}.f.b.0"},
    {"s{0}.b{1}.conv2.bn", "trunk_output.block{0}.block{0}-{1-1}.f.b.1"},
    {"s{0}.b{1}.se", "trunk_output.block{0}.block{0}-{1-1}.f.se"},
    {"s{0}.b{1}.conv3.conv", "trunk_output.block{0}.block{0}-{1-1}.f.c.0"},
    {"s{0}.b{1}.conv3.bn", "trunk_output.block{0}.block{0}-{1-1}.f.c.1"},
    {"s{0}.b{1}.downsample.conv", "trunk_output.block{0}.block{0}-{1-1}.proj.0"},
    {"s{0}.b{1}.downsample.bn", "trunk_output.block{0}.block{0}-{1-1}.proj.1"},
    {"head.fc", "fc"},
};

TensorOutline in_torchvision(const TensorOutline& own) {
  TensorOutline other = own;
  other.name = renamed(own.name, kTorchvisionNames);
  return other;
}

template <RegNetPlan kPlan>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<RegNet>(spec, kPlan, random);
}

constexpr Architecture in_both(std::string_view name, const Habit& habit, BuildModel* build) {
  return {.name = name, .habit = habit, .build = build, .other_tensor = in_torchvision};
}

// The names say hundreds of millions of multiply-accumulates. Depths and widths follow from the paper's
// parameters; "_tv" rounds them to whole groups as torchvision does.
constexpr Architecture kRegNets[] = {
    {"regnetx_002", kBicubicHabit, build<RegNetPlan{{1, 1, 4, 7}, {24, 56, 152, 368}, 8}>},
    {"regnetx_004", kBicubicHabit, build<RegNetPlan{{1, 2, 7, 12}, {32, 64, 160, 384}, 16}>},
    in_both("regnetx_004_tv", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{1, 2, 7, 12}, {32, 64, 160, 400}, 16}>),
    {"regnetx_006", kBicubicHabit, build<RegNetPlan{{1, 3, 5, 7}, {48, 96, 240, 528}, 24}>},
    in_both("regnetx_008", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{1, 3, 7, 5}, {64, 128, 288, 672}, 16}>),
    in_both("regnetx_016", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 4, 10, 2}, {72, 168, 408, 912}, 24}>),
    in_both("regnetx_032", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 6, 15, 2}, {96, 192, 432, 1008}, 48}>),
    {"regnetx_040", kBicubicHabit, build<RegNetPlan{{2, 5, 14, 2}, {80, 240, 560, 1360}, 40}>},
    {"regnetx_064", kBicubicHabit, build<RegNetPlan{{2, 4, 10, 1}, {168, 392, 784, 1624}, 56}>},
    in_both("regnetx_080", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 5, 15, 1}, {80, 240, 720, 1920}, 120}>),
    {"regnety_002", kBicubicHabit, build<RegNetPlan{{1, 1, 4, 7}, {24, 56, 152, 368}, 8, true}>},
    in_both("regnety_004", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{1, 3, 6, 6}, {48, 104, 208, 440}, 8, true}>),
    {"regnety_006", kBicubicHabit, build<RegNetPlan{{1, 3, 7, 4}, {48, 112, 256, 608}, 16, true}>},
    {"regnety_008", kBicubicHabit, build<RegNetPlan{{1, 3, 8, 2}, {64, 128, 320, 768}, 16, true}>},
    in_both("regnety_008_tv", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{1, 3, 8, 2}, {64, 144, 320, 784}, 16, true}>),
    in_both("regnety_016", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 6, 17, 2}, {48, 120, 336, 888}, 24, true}>),
    in_both("regnety_032", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 5, 13, 1}, {72, 216, 576, 1512}, 24, true}>),
    {"regnety_040", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<RegNetPlan{{2, 6, 12, 2}, {128, 192, 512, 1088}, 64, true}>},
    {"regnety_064", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<RegNetPlan{{2, 7, 14, 2}, {144, 288, 576, 1296}, 72, true}>},
    {"regnety_080", Habit{.side = 224, .crop_pct = 0.95, .interpolation = "bicubic"},
     build<RegNetPlan{{2, 4, 10, 1}, {168, 448, 896, 2016}, 56, true}>},
    in_both("regnety_080_tv", Habit{.side = 224, .crop_pct = 0.965, .interpolation = "bicubic"},
            build<RegNetPlan{{2, 4, 10, 1}, {224, 448, 896, 2016}, 56, true}>),
};

}  // namespace

std::span<const Architecture> regnets() {
  return kRegNets;
}

}  // namespace mgd
