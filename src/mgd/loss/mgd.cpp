#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/any.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/logical_not.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/loss/feature.h"
#include "mgd/ops/conv3x3.h"
#include "mgd/ops/squared_distance.h"

namespace mgd {
namespace {

const std::vector<std::string> kMaskKeys = {"mask", "mask_ratio", "mask_ratio_end", "size", "exact"};

struct GenerativeOptions : AlignedOptions {
  std::string weight_on = "mean";
  std::string on = "all";
  std::string fill = "zero";
  std::string target = "teacher";
  std::string skip = "auto";
  bool winograd = false;
  void visit(OptionVisitor& v) {
    AlignedOptions::visit(v);
    v.option("weight_on", weight_on,
             {.help = "weight is on the mean over elements, or on the sum over a sample as published",
              .choices = {"mean", "sum"}});
    v.option("on", on,
             {.help = "compare the whole map, or hidden positions only", .choices = {"all", "hidden"}});
    v.option("fill", fill,
             {.help = "what stands at hidden places: zero or a learned token", .choices = {"zero", "token"}});
    v.option("target", target,
             {.help = "the teacher's map as it is, or each of its channels with mean 0 and deviation 1 over "
                      "the step",
              .choices = {"teacher", "standardized"}});
    v.option("skip", skip,
             {.help = "leave out the arithmetic on what is hidden: where that is faster, always, or never",
              .choices = {"auto", "always", "never"}});
    v.option("winograd", winograd,
             {.help = "the second convolution of the block by Winograd's F(4x4, 3x3): faster, with errors of "
                      "some 1e-5 of the largest value"});
  }

  SkipHidden skip_hidden() const {
    if (skip == "never") return SkipHidden::never;
    return skip == "always" ? SkipHidden::always : SkipHidden::automatic;
  }
};

// conv3x3 - ReLU - conv3x3, named as in the authors' code.
class Generation : public Module {
 public:
  Generation(std::int64_t channels, const GenerativeOptions& options, RandomStream& random)
      : skip_(options.skip_hidden()),
        winograd_(options.winograd ? Winograd::automatic : Winograd::never),
        first_(make_child<Conv2d>("0", options_of(channels), random)),
        second_(make_child<Conv2d>("2", options_of(channels), random)) {}

  // The result without the last bias, which goes into the distance. keep undefined: nothing is hidden.
  at::Tensor forward(const at::Tensor& aligned, const at::Tensor& keep) {  // (B, Ct, Y, X), same shape
    const at::Tensor inner =
        masked_conv3x3(aligned, keep, first_.weight(), first_.bias(), {.relu = true, .skip = skip_});
    return at_least_float(conv3x3(inner, second_.weight(), winograd_));
  }
  const at::Tensor& last_bias() const { return second_.bias(); }

 private:
  static Conv2dOptions options_of(std::int64_t channels) {
    return {.in = channels, .out = channels, .kernel = 3, .padding = 1, .bias = true};
  }
  SkipHidden skip_;
  Winograd winograd_;
  Conv2d &first_, &second_;
};

class GenerativeBlock : public AlignBlock {
 public:
  GenerativeBlock(const TapPair& taps, const GenerativeOptions& options, RandomStream& random)
      : AlignBlock(taps, options, random),
        generation_(make_child<Generation>("generation", taps.teacher_shape[0], options, random)) {
    if (options.fill != "token") return;
    at::Tensor token = at::empty({1, taps.teacher_shape[0], 1, 1}, at::kFloat);
    float* data = token.mutable_data_ptr<float>();
    // The deviation of mask tokens in BERT and MAE.
    for (std::int64_t c = 0; c < token.numel(); ++c) data[c] = static_cast<float>(0.02 * random.normal());
    token_ = &add_parameter("mask_token", token, TensorKind::bias);
  }

  // A NaN at a hidden place must stop here. The generation does not read what is hidden; and as the gradient
  // of the alignment's weight multiplies the student's map by (zero) gradients, positions hidden in all
  // channels are emptied before the alignment.
  at::Tensor aligned(const at::Tensor& student, const at::Tensor& keep) {  // (B, Cs, Y, X) -> (B, Ct, Y, X)
    if (!keep.defined() || is_identity()) return align(student);
    return align(at::where(at::any(keep, 1, /*keepdim=*/true), student, 0.0));
  }

  // The aligned map with hidden places filled; at::where drops a NaN in both directions, where 0 * NaN would
  // be NaN.
  at::Tensor filled(const at::Tensor& aligned, const at::Tensor& keep) {
    if (!keep.defined()) return aligned;
    return token_ ? at::where(keep, aligned, token_->to(aligned.scalar_type()))
                  : at::where(keep, aligned, 0.0);
  }

  // Without the last bias.
  at::Tensor generate(const at::Tensor& student, const at::Tensor& keep) {
    const at::Tensor map = aligned(student, keep);
    return token_ ? generation_.forward(filled(map, keep), {}) : generation_.forward(map, keep);
  }

  const at::Tensor& last_bias() const { return generation_.last_bias(); }

 private:
  Generation& generation_;
  at::Tensor* token_ = nullptr;  // (1, Ct, 1, 1)
};

// How strong a map is at each position, as the logarithm of a share: (B, C, Y, X) -> (B, Y*X). The softmax at
// temperature 0.5 of the mean of |f| over channels.
at::Tensor strength(const at::Tensor& map) {
  return at::log_softmax(at::mean(at::abs(map), {1}).flatten(1).to(at::kDouble) / 0.5, 1);
}

// Masked generative distillation: Yang et al., ECCV 2022, equations (3) to (5). The sum of (G(keep *
// align(S)) - T)^2 over the map, or over its hidden places (`on: hidden`). Count: samples for `weight_on:
// sum` (the published weights), compared elements for `mean`. `mask: student` hides positions where the
// student is strong and disagrees with the teacher: its strength times the mean of |align(S) - T| over
// channels.
class MaskedGenerative final : public FeatureLoss {
 public:
  MaskedGenerative(const LossEntry& entry, TapPair pair, const GenerativeOptions& options)
      : FeatureLoss(std::move(pair), options),
        on_mean_(options.weight_on == "mean"),
        on_hidden_(options.on == "hidden"),
        standardised_(options.target == "standardized"),
        fill_(options.fill) {
    RandomStream random = init_stream(entry, taps());
    GenerativeOptions of_block = options;
    of_block.winograd = options.winograd || entry.context.winograd;
    if (!entry.context.skip_hidden) of_block.skip = "never";
    block_ = std::make_unique<GenerativeBlock>(taps(), of_block, random);
    request_.shape = taps().teacher_shape;
    request_.options = Node::make_map();
    request_.options.origin = entry.node.origin;
    // Fields are copied whole, with the places of their keys, so that a complaint about them points into the
    // recipe.
    for (const auto& field : entry.node.fields)
      if (std::find(kMaskKeys.begin(), kMaskKeys.end(), field.first) != kMaskKeys.end())
        request_.options.fields.push_back(field);
    if (const Node* mask = entry.node.find("mask")) {
      if (mask->scalar == "student") chosen_by_ = ChosenBy::student;
      if (mask->scalar == "teacher") chosen_by_ = ChosenBy::teacher;
    }
  }

  Scope scope() const override { return standardised_ ? Scope::step : Scope::sample; }
  const MaskRequest* mask_request() const override { return &request_; }
  at::Tensor mask_scores(const LossInput& input) override {
    if (chosen_by_ == ChosenBy::chance) return {};
    const at::NoGradGuard no_grad;
    if (chosen_by_ == ChosenBy::teacher) return strength(teacher_map(input));
    const at::Tensor student = student_map(input);
    const at::Tensor error = at::abs(block_->align(student) - target(input));
    return strength(student) + at::log(at::mean(error, {1}).flatten(1).to(at::kDouble));
  }
  Module* trainable() override { return block_.get(); }

  double count(const CountInput& input) const override {
    const auto batch = static_cast<double>(input.batch_size);
    if (!on_mean_) return batch;
    if (!on_hidden_) return batch * taps().teacher_elements();
    if (!input.keep.defined() || input.keep.numel() == 0) return 0;
    // The mask broadcasts to the map: each of its values stands for this many elements.
    const double elements_each = batch * taps().teacher_elements() / static_cast<double>(input.keep.numel());
    return at::sum(at::logical_not(input.keep)).item<double>() * elements_each;
  }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor made = block_->generate(student_map(input), input.keep);
    if (!on_hidden_) return squared_distance(made, block_->last_bias(), target(input));
    const at::Tensor error = at::square(add_bias(made, block_->last_bias()) - target(input));
    if (!input.keep.defined())
      return at::sum(error) * 0.0;  // nothing is hidden; the gradient exists and is zero
    return at::sum(at::where(input.keep, 0.0, error));
  }

  std::string describe() const override {
    return fmt::format("{}; {}; on {}, fill {}{}", describe_taps(),
                       describe_weight(on_mean_, taps().teacher_elements(), "elements"),
                       on_hidden_ ? "hidden" : "all", fill_,
                       standardised_ ? "; target standardised over the whole step" : "");
  }

  Features illustrate(const LossInput& input) override {
    const at::Tensor student = student_map(input);
    return {{"aligned", block_->align(student)},
            {"masked", block_->filled(block_->aligned(student, input.keep), input.keep)},
            {"generated", add_bias(block_->generate(student, input.keep), block_->last_bias())},
            {"teacher", target(input)}};
  }

 private:
  enum class ChosenBy { chance, student, teacher };

  at::Tensor target(const LossInput& input) const {
    return standardised_ ? standardised_channels(teacher_map(input)) : teacher_map(input);
  }

  bool on_mean_, on_hidden_, standardised_;
  ChosenBy chosen_by_ = ChosenBy::chance;
  std::string fill_;
  std::unique_ptr<GenerativeBlock> block_;
  MaskRequest request_;
};

}  // namespace

LossList make_mgd_losses(const LossEntry& entry) {
  std::vector<std::string> ignore = kMaskKeys;
  ignore.emplace_back("name");
  return make_feature_losses<MaskedGenerative, GenerativeOptions>(entry, ignore);
}

}  // namespace mgd
