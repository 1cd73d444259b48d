#include "mgd/model/mobile_net.h"

#include <algorithm>
#include <cmath>

namespace mgd {

namespace {

// A block, and the stage whose node stands behind it ("": none).
struct Step {
  MobileBlock* block;
  std::string stage;
};

class MobileNet : public ImageModel {
 public:
  MobileNet(const ModelSpec& spec, const MobilePlan& plan, RandomStream& random)
      : ImageModel(spec), plan_(plan), width_(plan.width * spec.width) {
    in_ = width_ < plan.stem_fixed_below ? plan.stem : scaled(plan.stem);
    unscaled_in_ = plan.stem;
    const auto stages = static_cast<std::int64_t>(
        std::count_if(plan.rows.begin(), plan.rows.end(), [](const MobileRow& row) { return !row.joins; }));
    std::int64_t blocks = 0, stage = -1, first_of_stage = 0;
    for (const MobileRow& row : plan.rows) blocks += repeats(row);
    names_ = frame_names(plan.spelling, stages, blocks, plan.hidden > 0);

    stem_ = &unit(names_.stem, conv3x3(spec.in_channels, in_, 2), random);
    std::int64_t number = 0;
    for (const MobileRow& row : plan.rows) {
      if (!row.joins) {
        ++stage;
        first_of_stage = number;
      }
      for (std::int64_t i = 0; i < repeats(row); ++i, ++number)
        append(row, i, {.stage = stage, .index = number - first_of_stage, .number = number}, random);
    }
    const std::int64_t last = plan.scales_expanded ? 6 * in_ : followed(plan.last, plan.last_follows);
    last_ = &unit(names_.last, conv1x1(in_, last), random);
    add_head(last, random);
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = stem_->forward(model_input(std::move(input), spec(), forward), forward);
    for (const Step& step : steps_) {
      x = step.block->forward(x, forward);
      if (!step.stage.empty()) x = forward.node(step.stage, std::move(x));
    }
    if (!names_.trunk_ends_in_last) x = forward.node(names_.trunk, std::move(x));
    x = last_->forward(x, forward);
    if (!names_.last_stage.empty()) x = forward.node(names_.last_stage, std::move(x));
    if (names_.trunk_ends_in_last) x = forward.node(names_.trunk, std::move(x));
    x = hidden(global_pool(x, forward), forward);
    if (dropout_) x = dropout_->forward(x, forward);
    return classifier_->forward(x, forward);
  }

  // The last map of the blocks, before it is widened for the classifier.
  std::string default_tap() const override {
    return names_.trunk_ends_in_last && names_.last_stage.empty() ? names_.trunk : steps_.back().stage;
  }

 private:
  std::int64_t scaled(std::int64_t channels) const {
    return nearest_multiple(static_cast<double>(channels) * width_);
  }

  std::int64_t followed(std::int64_t channels, FollowsWidth follows) const {
    if (follows == FollowsWidth::no) return channels;
    return follows == FollowsWidth::upwards ? std::max(channels, scaled(channels)) : scaled(channels);
  }

  std::int64_t repeats(const MobileRow& row) const {
    const bool end = &row == &plan_.rows.front() || &row == &plan_.rows.back();
    if (end && plan_.fixed_end_stages) return row.blocks;
    return static_cast<std::int64_t>(std::ceil(static_cast<double>(row.blocks) * plan_.depth));
  }

  NamedUnit& unit(const UnitNames& names, const Conv2dOptions& conv, RandomStream& random) {
    return make_child<NamedUnit>("", names, NamedUnit::Options{conv, plan_.activation, plan_.style}, random);
  }

  std::int64_t hidden_channels(const MobileRow& row) const {
    if (!plan_.scales_expanded) return nearest_multiple(static_cast<double>(in_) * row.expansion);
    return scaled(nearest_multiple(static_cast<double>(unscaled_in_) * row.expansion));
  }

  // The block `i` of a row.
  void append(const MobileRow& row, std::int64_t i, BlockPlace place, RandomStream& random) {
    MobileBlockOptions o{.in = in_,
                         .hidden = hidden_channels(row),
                         .out = scaled(row.channels),
                         .kernel = row.kernel,
                         .stride = i == 0 ? row.stride : 1,
                         .squeezed = 0,
                         .expands = row.expansion != 1,
                         .activation = row.relu ? Activation::relu : plan_.activation,
                         .squeeze_activation = plan_.squeeze_activation,
                         .gate = plan_.gate,
                         .style = plan_.style};
    if (plan_.scales_expanded) o.expands = o.hidden != o.in;
    if (row.squeeze)
      o.squeezed = plan_.squeeze_of_input
                       ? std::max<std::int64_t>(1, std::llround(0.25 * static_cast<double>(in_)))
                       : nearest_multiple(0.25 * static_cast<double>(o.hidden));
    place.expands = o.expands;
    place.squeezes = row.squeeze;
    MobileBlock& block = make_child<MobileBlock>(block_path(plan_.spelling, place),
                                                 block_names(plan_.spelling, place), o, random);
    // The node of the stage stands behind its last block, which until the next one is this.
    const std::string stage = stage_path(plan_.spelling, place.stage);
    if (place.index > 0) steps_.back().stage.clear();
    steps_.push_back({&block, stage});
    in_ = o.out;
    unscaled_in_ = row.channels;
  }

  void add_head(std::int64_t in, RandomStream& random) {
    if (plan_.hidden > 0) {
      const std::int64_t wide = followed(plan_.hidden, plan_.hidden_follows);
      if (names_.hidden_is_conv)
        hidden_conv_ = &make_child<Conv2d>(names_.hidden,
                                           Conv2dOptions{.in = in, .out = wide, .kernel = 1, .bias = true},
                                           random, plan_.style.init);
      else
        hidden_linear_ = &make_child<Linear>(names_.hidden, in, wide, random, plan_.classifier_init);
      in = wide;
    }
    if (plan_.dropout > 0) dropout_ = &make_child<Dropout>(names_.dropout, plan_.dropout);
    classifier_ =
        &make_child<Linear>(names_.classifier, in, spec().num_classes, random, plan_.classifier_init);
  }

  // (B, C) -> (B, C'), the layer between pooling and classifier; x itself where there is none.
  at::Tensor hidden(const at::Tensor& x, Forward& forward) {
    if (hidden_linear_) return activated(hidden_linear_->forward(x, forward), plan_.activation);
    if (!hidden_conv_) return x;
    const at::Tensor y = hidden_conv_->forward(x.view({x.size(0), x.size(1), 1, 1}), forward);
    return activated(y, plan_.activation).flatten(1);
  }

  MobilePlan plan_;
  double width_;
  std::int64_t in_ = 0, unscaled_in_ = 0;  // while it is built: channels of the last block so far
  FrameNames names_;
  NamedUnit* stem_ = nullptr;
  std::vector<Step> steps_;
  NamedUnit* last_ = nullptr;
  Conv2d* hidden_conv_ = nullptr;
  Linear* hidden_linear_ = nullptr;
  Dropout* dropout_ = nullptr;
  Linear* classifier_ = nullptr;
};

}  // namespace

std::unique_ptr<ImageModel> make_mobile_net(const ModelSpec& spec, const MobilePlan& plan,
                                            RandomStream& random) {
  return std::make_unique<MobileNet>(spec, plan, random);
}

}  // namespace mgd
