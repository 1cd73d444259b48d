// MGD on the rows of a text with one layer of a Transformer in place of the convolutions: each position is
// generated from all that is visible of its document.
#include <ATen/TensorOperators.h>
#include <ATen/ops/any.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>

#include "mgd/core/error.h"
#include "mgd/loss/mgd_options.h"
#include "mgd/nn/transformer_layer.h"

namespace mgd {
namespace {

constexpr double kTheta = 10000;  // of the rotary positions (Su et al. 2021)

const LayerNames kNames = {
    .attention = {.path = "attention", .query = "query", .key = "key", .value = "value", .out = "out"},
    .attention_norm = "attention_norm",
    .up = "up",
    .activation = "activation",
    .down = "down",
    .norm = "norm"};

// Norms stand before the parts, so that what comes out is not tied to a scale.
LayerOptions layer_options(std::int64_t hidden, std::int64_t heads) {
  LayerOptions options;
  options.attention.hidden = hidden;
  options.attention.heads = heads;
  options.intermediate = 4 * hidden;
  options.pre_norm = true;
  options.norm_eps = 1e-5;
  options.rope_theta = kTheta;
  return options;
}

class TransformerBlock : public AlignBlock {
 public:
  TransformerBlock(const TapPair& taps, const GenerativeOptions& options, std::int64_t heads,
                   RandomStream& random)
      : AlignBlock(taps, options, random),
        layer_(make_child<TransformerLayer>("generation", kNames, layer_options(taps.teacher_shape[0], heads),
                                            random)) {
    if (options.fill != "token") return;
    token_ =
        &add_parameter("mask_token", drawn_mask_token({1, taps.teacher_shape[0]}, random), TensorKind::bias);
  }

  // student (N, Hs), keep (N, 1) or (N, Ht) or undefined -> (N, Ht). What is hidden is replaced before
  // anything reads it; at::where drops a NaN in both directions.
  at::Tensor generate(const at::Tensor& student, const at::Tensor& keep,
                      const std::vector<std::int64_t>& offsets, bool skips) {
    at::Tensor rows = student;
    if (keep.defined()) {
      rows = align(at::where(at::any(keep, 1, /*keepdim=*/true), student, 0.0));
      rows = token_ != nullptr ? at::where(keep, rows, token_->to(rows.scalar_type()))
                               : at::where(keep, rows, 0.0);
    } else {
      rows = align(student);
    }
    const std::vector<AttentionSegment> segments = self_segments(offsets);
    // A hidden row is told from another by its place alone.
    const LayerOptions& options = layer_.options();
    const Rotary angles =
        rotary(natural_positions(offsets, rows.device()), options.attention.hidden / options.attention.heads,
               options.rope_theta, rows.scalar_type() == at::kDouble ? at::kDouble : at::kFloat);
    Forward forward(/*training=*/true);
    forward.skip_hidden(skips);
    return at_least_float(
        layer_.forward(rows, {.segments = &segments, .rotary = &angles}, {}, {.offsets = offsets}, forward));
  }

 private:
  TransformerLayer& layer_;
  at::Tensor* token_ = nullptr;  // (1, Ht)
};

std::int64_t heads_of(const LossEntry& entry, const TapPair& taps, const GenerativeOptions& options) {
  const std::int64_t width = taps.teacher_shape[0];
  std::int64_t heads = options.generator_heads;
  if (heads == 0 && !entry.context.teacher_attention.empty()) {
    const AttentionNodes& teacher = entry.context.teacher_attention.front();
    if (teacher.hidden == width) heads = teacher.heads;
  }
  if (heads == 0)
    entry.refuse(
        fmt::format("generator_heads: the teacher tells no heads for '{}' of width {}; give a number "
                    "that divides it",
                    taps.teacher, width),
        "generator_heads");
  if (width % heads != 0 || width / heads % 2 != 0)
    entry.refuse(fmt::format("generator_heads: got {}, expected a number that cuts the width {} of '{}' into "
                             "heads of an even number of values",
                             heads, width, taps.teacher),
                 "generator_heads");
  return heads;
}

// The sum of (G(keep * align(S)) - T)^2 over all rows, or over what is hidden: Yang et al., ECCV 2022,
// equations (3) to (5), with a Transformer layer as G (norms first, 4 H inner values, gelu, rotary
// positions). No document sees another. Nothing of the layer is left out: a hidden row attends and is
// attended to.
class TransformerGenerative final : public GenerativeLoss {
 public:
  TransformerGenerative(const LossEntry& entry, TapPair pair, const GenerativeOptions& options)
      : GenerativeLoss(entry, std::move(pair), options),
        heads_(heads_of(entry, taps(), options)),
        skips_(entry.context.skip_hidden) {
    if (options.skip == "always")
      entry.refuse("skip: always is for generator: conv; a Transformer's layer computes hidden rows too",
                   "skip");
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<TransformerBlock>(taps(), options, heads_, random);
    if (options.by_phi_s()) standardise_target(entry, *block_);
  }

  Module* trainable() override { return block_.get(); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = student_map(input), teacher = teacher_map(input);
    if (student.size(0) == 0) return at::sum(student) * 0.0;
    const PackedTokens& tokens = tokens_of(taps().teacher_info, input.batch);
    const at::Tensor error =
        at::square(block_->generate(student, input.keep, tokens.offsets, skips_) - teacher);
    if (!on_hidden()) return at::sum(error);
    if (!input.keep.defined()) return at::sum(error) * 0.0;
    return at::sum(at::where(input.keep, 0.0, error));
  }

  std::string describe() const override {
    return describe_generation("elements of a token") +
           fmt::format(", generator: transformer with {} heads", heads_);
  }

 private:
  std::int64_t heads_;
  bool skips_;
  std::unique_ptr<TransformerBlock> block_;
};

}  // namespace

std::unique_ptr<Loss> make_transformer_generative(const LossEntry& entry, TapPair taps,
                                                  const GenerativeOptions& options) {
  return std::make_unique<TransformerGenerative>(entry, std::move(taps), options);
}

}  // namespace mgd
