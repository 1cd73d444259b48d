// GhostNet (Han et al., CVPR 2020) under timm's names: half of a layer's channels are cheap depthwise filters
// of the other half.
#include <ATen/ops/cat.h>

#include <cmath>

#include "mgd/model/architectures.h"
#include "mgd/model/mobile_block.h"

namespace mgd {

namespace {

constexpr MobileStyle kStyle{.norm = {}, .init = Init::torch_default, .same = false};

std::int64_t by_fours(double channels) {
  return nearest_multiple(channels, 4);
}

Conv2dOptions depthwise(std::int64_t channels, std::int64_t kernel, std::int64_t stride = 1) {
  return {.in = channels,
          .out = channels,
          .kernel = kernel,
          .stride = stride,
          .padding = kernel / 2,
          .groups = channels};
}

// Section 3.1 of the paper. An odd number of channels loses its last cheap one.
class GhostModule : public Block {
 public:
  GhostModule(std::int64_t in, std::int64_t out, Activation activation, RandomStream& random) : out_(out) {
    const std::int64_t half = (out + 1) / 2;
    primary_ = &make_child<ConvNorm>("primary_conv", conv1x1(in, half), random, kStyle.init, activation);
    cheap_ = &make_child<ConvNorm>("cheap_operation", depthwise(half, 3), random, kStyle.init, activation);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor primary = primary_->forward(x, forward);
    at::Tensor y = at::cat({primary, cheap_->forward(primary, forward)}, 1);
    return forward.node(path(), y.size(1) == out_ ? y : y.slice(1, 0, out_));
  }

 private:
  std::int64_t out_;
  ConvNorm *primary_ = nullptr, *cheap_ = nullptr;
};

struct GhostOptions {
  std::int64_t in = 0, hidden = 0, out = 0, kernel = 3, stride = 1;
  bool squeeze = false;
};

// Depthwise and pointwise, with a norm behind each and nothing else: "0" to "3".
class GhostShortcut : public Block {
 public:
  GhostShortcut(const GhostOptions& o, RandomStream& random)
      : depthwise_(make_child<NamedUnit>(
            "", UnitNames{"0", "1", ""},
            NamedUnit::Options{
                .conv = depthwise(o.in, o.kernel, o.stride), .activation = Activation::none, .style = kStyle},
            random)),
        pointwise_(make_child<NamedUnit>(
            "", UnitNames{"2", "3", ""},
            NamedUnit::Options{.conv = conv1x1(o.in, o.out), .activation = Activation::none, .style = kStyle},
            random)) {}

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    return forward.node(path(), pointwise_.forward(depthwise_.forward(x, forward), forward));
  }

 private:
  NamedUnit &depthwise_, &pointwise_;
};

// Figure 3 of the paper.
class GhostBottleneck : public Block {
 public:
  GhostBottleneck(const GhostOptions& o, RandomStream& random)
      : ghost1_(make_child<GhostModule>("ghost1", o.in, o.hidden, Activation::relu, random)) {
    if (o.stride > 1)
      depthwise_ = &make_child<NamedUnit>("", UnitNames{"conv_dw", "bn_dw", ""},
                                          NamedUnit::Options{.conv = depthwise(o.hidden, o.kernel, o.stride),
                                                             .activation = Activation::none,
                                                             .style = kStyle},
                                          random);
    if (o.squeeze)
      squeeze_ = &make_child<SqueezeExcite>(
          "se",
          SqueezeExciteOptions{.channels = o.hidden,
                               .reduced = by_fours(0.25 * static_cast<double>(o.hidden)),
                               .activation = Activation::relu,
                               .gate = Activation::hardsigmoid,
                               .init = kStyle.init},
          random);
    ghost2_ = &make_child<GhostModule>("ghost2", o.hidden, o.out, Activation::none, random);
    if (o.stride > 1 || o.in != o.out) shortcut_ = &make_child<GhostShortcut>("shortcut", o, random);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    at::Tensor y = ghost1_.forward(x, forward);
    if (depthwise_) y = depthwise_->forward(y, forward);
    if (squeeze_) y = squeeze_->forward(y, forward);
    y = ghost2_->forward(y, forward);
    return forward.node(path(), y.add(shortcut_ ? shortcut_->forward(x, forward) : x));
  }

 private:
  GhostModule& ghost1_;
  NamedUnit* depthwise_ = nullptr;
  SqueezeExcite* squeeze_ = nullptr;
  GhostModule* ghost2_ = nullptr;
  GhostShortcut* shortcut_ = nullptr;
};

struct GhostRow {
  std::int64_t kernel, hidden, channels, stride;
  bool squeeze = false, joins = false;  // joins: stands in the stage of the row before
};
constexpr GhostRow kRows[] = {
    {3, 16, 16, 1},
    {3, 48, 24, 2},
    {3, 72, 24, 1},
    {5, 72, 40, 2, true},
    {5, 120, 40, 1, true},
    {3, 240, 80, 2},
    {3, 200, 80, 1},
    {3, 184, 80, 1, false, true},
    {3, 184, 80, 1, false, true},
    {3, 480, 112, 1, true, true},
    {3, 672, 112, 1, true, true},
    {5, 672, 160, 2, true},
    {5, 960, 160, 1},
    {5, 960, 160, 1, true, true},
    {5, 960, 160, 1, false, true},
    {5, 960, 160, 1, true, true},
};                                                  // table 1 of the paper
constexpr std::int64_t kStem = 16, kHidden = 1280;  // the layer before the classifier keeps its size
constexpr double kDropout = 0.2;

class GhostNet : public ImageModel {
 public:
  GhostNet(const ModelSpec& spec, double width, RandomStream& random) : ImageModel(spec) {
    const auto scaled = [&](std::int64_t channels) {
      return by_fours(static_cast<double>(channels) * width * spec.width);
    };
    std::int64_t in = scaled(kStem);
    const auto unit = [&](const UnitNames& names, const Conv2dOptions& conv) {
      return &make_child<NamedUnit>("", names, NamedUnit::Options{conv, Activation::relu, kStyle}, random);
    };
    stem_ = unit({"conv_stem", "bn1", ""}, conv3x3(spec.in_channels, in, 2));
    for (const GhostRow& row : kRows) {
      if (!row.joins) stages_.push_back(&make_child<Stage>("blocks." + std::to_string(stages_.size())));
      const GhostOptions o{.in = in,
                           .hidden = scaled(row.hidden),
                           .out = scaled(row.channels),
                           .kernel = row.kernel,
                           .stride = row.stride,
                           .squeeze = row.squeeze};
      stages_.back()->append<GhostBottleneck>(o, random);
      in = o.out;
    }
    last_stage_ = "blocks." + std::to_string(stages_.size());
    const std::int64_t last = scaled(std::end(kRows)[-1].hidden);
    last_ = unit({last_stage_ + ".0.conv", last_stage_ + ".0.bn1", last_stage_ + ".0"}, conv1x1(in, last));
    Conv2dOptions head = conv1x1(last, kHidden);
    head.bias = true;
    head_ = &make_child<Conv2d>("conv_head", head, random, kStyle.init);
    dropout_ = &make_child<Dropout>("dropout", kDropout);
    classifier_ = &make_child<Linear>("classifier", kHidden, spec.num_classes, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = stem_->forward(model_input(std::move(input), spec(), forward), forward);
    for (Stage* stage : stages_) x = stage->forward(x, forward);
    x = forward.node("blocks", forward.node(last_stage_, last_->forward(x, forward)));
    x = global_pool(x, forward);
    x = activated(head_->forward(x.view({x.size(0), x.size(1), 1, 1}), forward), Activation::relu);
    return classifier_->forward(dropout_->forward(x.flatten(1), forward), forward);
  }

  // The last map of the blocks, before it is widened for the classifier.
  std::string default_tap() const override { return "blocks." + std::to_string(stages_.size() - 1); }

 private:
  NamedUnit* stem_ = nullptr;
  std::vector<Stage*> stages_;
  std::string last_stage_;
  NamedUnit* last_ = nullptr;
  Conv2d* head_ = nullptr;
  Dropout* dropout_ = nullptr;
  Linear* classifier_ = nullptr;
};

constexpr double kHalf = 0.5, kOne = 1.0, kMore = 1.3;

template <const double& kWidth>
std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<GhostNet>(spec, kWidth, random);
}

constexpr Architecture kGhostNets[] = {
    {"ghostnet_050", kBicubicHabit, build<kHalf>, nullptr, true},
    {"ghostnet_100", kBicubicHabit, build<kOne>},
    {"ghostnet_130", kBicubicHabit, build<kMore>, nullptr, true},
};

}  // namespace

std::span<const Architecture> ghostnets() {
  return kGhostNets;
}

}  // namespace mgd
