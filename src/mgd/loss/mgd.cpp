#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/any.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/log.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <fmt/ranges.h>

#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"
#include "mgd/loss/mgd_options.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/conv3x3.h"
#include "mgd/ops/squared_distance.h"

namespace mgd {
namespace {

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
    token_ = &add_parameter("mask_token", drawn_mask_token({1, taps.teacher_shape[0], 1, 1}, random),
                            TensorKind::bias);
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
// align(S)) - T)^2 over the map, or over its hidden places (`on: hidden`). `mask: student` hides positions
// where the student is strong and disagrees with the teacher: its strength times the mean of |align(S) - T|
// over channels.
class MaskedGenerative final : public GenerativeLoss {
 public:
  MaskedGenerative(const LossEntry& entry, TapPair pair, const GenerativeOptions& options)
      : GenerativeLoss(entry, std::move(pair), options), standardised_(options.standardises()) {
    RandomStream random = init_stream(entry, taps());
    GenerativeOptions of_block = options;
    of_block.winograd = options.winograd || entry.context.winograd;
    if (!entry.context.skip_hidden) of_block.skip = "never";
    block_ = std::make_unique<GenerativeBlock>(taps(), of_block, random);
    if (options.by_phi_s()) standardise_target(entry, *block_);
    if (const Node* mask = entry.node.find("mask")) {
      if (mask->scalar == "student") chosen_by_ = ChosenBy::student;
      if (mask->scalar == "teacher") chosen_by_ = ChosenBy::teacher;
    }
  }

  Scope scope() const override { return standardised_ ? Scope::step : Scope::sample; }
  at::Tensor mask_scores(const LossInput& input) override {
    if (chosen_by_ == ChosenBy::chance) return {};
    const at::NoGradGuard no_grad;
    if (chosen_by_ == ChosenBy::teacher) return strength(teacher_map_of(taps(), input));
    const at::Tensor student = student_map(input);
    const at::Tensor error = at::abs(block_->align(student) - target(input));
    return strength(student) + at::log(at::mean(error, {1}).flatten(1).to(at::kDouble));
  }
  Module* trainable() override { return block_.get(); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = student_map(input), teacher = target(input);
    check_keep(input.keep, teacher);
    const at::Tensor made = block_->generate(student, input.keep);
    if (!on_hidden()) return squared_distance(made, block_->last_bias(), teacher);
    const at::Tensor error = at::square(add_bias(made, block_->last_bias()) - teacher);
    if (!input.keep.defined())
      return at::sum(error) * 0.0;  // nothing is hidden; the gradient exists and is zero
    return at::sum(at::where(input.keep, 0.0, error));
  }

  std::string describe() const override {
    return describe_generation("elements") +
           (standardised_ ? "; target standardised over the whole step" : "");
  }

  Maps illustrate(const LossInput& input) override {
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
  void check_keep(const at::Tensor& keep, const at::Tensor& map) const {
    if (!keep.defined()) return;
    bool broadcasts = keep.dim() == 4 && keep.scalar_type() == at::kBool;
    for (std::int64_t d = 0; broadcasts && d < 4; ++d)
      broadcasts = keep.size(d) == 1 || keep.size(d) == map.size(d);
    if (!broadcasts)
      refuse(
          "losses." + label(), "keep", keep,
          fmt::format("bool (true = visible) that broadcasts to ({})", fmt::join(map.sizes().vec(), ", ")));
  }

  bool standardised_;
  ChosenBy chosen_by_ = ChosenBy::chance;
  std::unique_ptr<GenerativeBlock> block_;
};

void refuse_what_maps_have_not(const LossEntry& entry, const TapPair& taps,
                               const GenerativeOptions& options) {
  if (options.generator == "transformer")
    entry.refuse(fmt::format("generator: transformer is for rows of texts, and '{}' has a map", taps.teacher),
                 "generator");
}

// With a token the block reads every place. Of rows it still makes only those that are compared.
bool skips_nothing(const TapPair& taps, const GenerativeOptions& options) {
  return options.skip == "always" && options.fill == "token" && (!taps.rows() || options.on == "all");
}

void refuse_what_rows_have_not(const LossEntry& entry, const TapPair& taps,
                               const GenerativeOptions& options) {
  if (options.standardises())
    entry.refuse(fmt::format("target: standardized is for maps, and '{}' has rows", taps.teacher), "target");
  const Node* mask = entry.node.find("mask");
  if (mask != nullptr && (mask->scalar == "student" || mask->scalar == "teacher"))
    entry.refuse(
        fmt::format("mask: {} chooses positions of maps, and '{}' has rows; use token, block, channel or "
                    "element",
                    mask->scalar, taps.teacher),
        "mask");
}

}  // namespace

LossList make_mgd_losses(const LossEntry& entry) {
  std::vector<std::string> ignore = mask_keys();
  ignore.emplace_back("name");
  GenerativeOptions options;
  LossList losses;
  if (!read_entry(entry, options, ignore)) return losses;
  const bool conv = options.generator == "conv";
  for (TapPair& taps : resolve_taps(entry, options, {.rows = true})) {
    refuse_idle(entry.node, entry.where(), options,
                {{"generator_heads", conv, "it goes with generator: transformer"},
                 {"winograd", taps.rows(),
                  fmt::format("'{}' has rows, and Winograd's convolution is for maps", taps.teacher)},
                 {"skip", conv && skips_nothing(taps, options),
                  "fill: token puts a value where something is hidden, and nothing can be left out"}});
    if (!taps.rows()) {
      refuse_what_maps_have_not(entry, taps, options);
      losses.push_back(std::make_unique<MaskedGenerative>(entry, std::move(taps), options));
      continue;
    }
    refuse_what_rows_have_not(entry, taps, options);
    losses.push_back(options.generator == "transformer"
                         ? make_transformer_generative(entry, std::move(taps), options)
                         : make_row_generative(entry, std::move(taps), options));
  }
  return losses;
}

}  // namespace mgd
