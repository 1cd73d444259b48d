// What the losses between features share: which tap of the student meets which of the teacher, and their
// alignment. Features are maps of pictures, or rows of texts.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mgd/loss/entry.h"
#include "mgd/nn/layers.h"
#include "mgd/ops/principal_components.h"

namespace mgd {

struct FeatureOptions : LossOptions {
  std::vector<std::string> student_tap;  // empty: see resolve_taps
  std::vector<std::string> teacher_tap;
  bool resize = false;
  void visit(OptionVisitor& v);

 protected:
  void visit_taps(OptionVisitor& v);
};

struct AlignedOptions : FeatureOptions {
  std::string align = "auto";
  void visit(OptionVisitor& v);

 protected:
  void visit_align(OptionVisitor& v);
};

// Of losses whose target may be standardised by PHI-S.
struct TargetOptions : AlignedOptions {
  std::string target = "teacher";
  void visit(OptionVisitor& v);
};

// One pair of nodes that meet, both maps or both rows. Shapes are {C, Y, X} of a sample, or {H} of a token.
struct TapPair {
  std::string label;  // of the loss of this pair
  std::string student, teacher;
  std::vector<std::int64_t> student_shape, teacher_shape;
  NodeInfo teacher_info{};

  bool rows() const { return teacher_info.axes == Axes::rows; }
  bool same_size() const {
    return rows() || (student_shape[1] == teacher_shape[1] && student_shape[2] == teacher_shape[2]);
  }
  double teacher_positions() const {
    return rows() ? 1.0 : static_cast<double>(teacher_shape[1] * teacher_shape[2]);
  }
  // Of a sample, or of a token.
  double teacher_elements() const { return static_cast<double>(teacher_shape[0]) * teacher_positions(); }
};

// What a loss takes for a tap, besides maps of the same Y, X on both sides.
struct TapRules {
  bool vectors = false;   // nodes (C) too; they count as maps (C, 1, 1)
  bool any_size = false;  // Y, X of the two sides may differ
  bool rows = false;      // rows (H) of texts too
};

// The pairs of an entry: the named taps one by one; when only one side is named, the other has the same
// names; when none is, the default taps of the models. Several pairs are labelled LABEL.STUDENT_TAP. Throws
// Error(usage) for a missing teacher, a tap that is no map, a pair of a map and rows, lists of different
// lengths, the same pair twice, and different Y, X without `resize`, as far as the rules do not allow them.
std::vector<TapPair> resolve_taps(const LossEntry& entry, const FeatureOptions& options,
                                  const TapRules& rules = {});

// The map of one side of a pair, or its rows, at least float; a vector as (B, C, 1, 1). Of the student it is
// resized to the teacher's Y, X unless `as_it_is`; of the teacher it has no gradient. Throws Error(usage) for
// features that are not there or have another shape than the pair, and for other numbers of the two sides.
at::Tensor student_map_of(const TapPair& taps, const LossInput& input, bool as_it_is = false);
at::Tensor teacher_map_of(const TapPair& taps, const LossInput& input);

// A vector a sample: the mean of the map over its positions. (B, Cs), (B, Ct) without gradient
at::Tensor student_embedding(const TapPair& taps, const LossInput& input);
at::Tensor teacher_embedding(const TapPair& taps, const LossInput& input);

// "student layer3 (64, 8, 8) -> teacher layer3 (128, 8, 8)"
std::string taps_text(const TapPair& taps, bool as_it_is = false);

// Each channel minus its mean, divided by its deviation + 1e-6, both over the batch and all positions; the
// deviation is the unbiased one, and 0 of a single value. (B, C, Y, X), same shape.
at::Tensor standardised_channels(const at::Tensor& map);

// What a survey of the teacher finds out about a tap, and its features made of that (ops/phi_s.h).
class PhiSTarget : public Module {
 public:
  explicit PhiSTarget(std::int64_t width);
  void see(const at::Tensor& features);                // (B, C, Y, X) or rows (N, H), at least float
  std::int64_t settle();                               // of what was seen; how many features that were
  at::Tensor apply(const at::Tensor& features) const;  // same shape

 private:
  at::Tensor &weight_, &bias_;  // (C, C), (C); zero until settle()
  PrincipalComponents seen_;
};

// A 1x1 convolution (of rows: a linear layer) with bias from the student's channels to the teacher's, where
// they differ or `align: always` asks.
class AlignBlock : public Module {
 public:
  AlignBlock(const TapPair& taps, const AlignedOptions& options, RandomStream& random);
  // Error(usage) with the entry's place where the teacher's width has no Hadamard matrix.
  void standardise_target(const LossEntry& entry, const TapPair& taps);
  PhiSTarget* target() { return target_; }      // nullptr: the teacher's features are compared as they are
  at::Tensor align(const at::Tensor& student);  // (B, Cs, Y, X) -> (B, Ct, Y, X); rows (N, Hs) -> (N, Ht)
  bool is_identity() const { return maps_ == nullptr && rows_ == nullptr; }

 private:
  Conv2d* maps_ = nullptr;
  Linear* rows_ = nullptr;
  PhiSTarget* target_ = nullptr;
};

class FeatureLoss : public NamedLoss {
 public:
  FeatureLoss(TapPair taps, const LossOptions& options)
      : NamedLoss(taps.label, options), taps_(std::move(taps)) {}

  std::vector<std::string> student_taps() const override { return {taps_.student}; }
  std::vector<std::string> teacher_taps() const override { return {taps_.teacher}; }
  bool needs_teacher() const override { return true; }

  bool wants_survey() const override { return target_ != nullptr; }
  void survey(const LossInput& input) override { target_->see(teacher_map_of(taps_, input)); }
  std::string end_survey() override;

 protected:
  const TapPair& taps() const { return taps_; }
  // From now on teacher_map() is what `block` makes of the teacher's features by PHI-S.
  void standardise_target(const LossEntry& entry, AlignBlock& block) {
    block.standardise_target(entry, taps_);
    target_ = block.target();
  }
  // (B, Cs, Y, X) of the teacher's Y, X, or rows (N, Hs); at least float
  at::Tensor student_map(const LossInput& input) const { return student_map_of(taps_, input); }
  // (B, Ct, Y, X) or rows (N, Ht), without gradient; at least float
  at::Tensor teacher_map(const LossInput& input) const {
    const at::Tensor map = teacher_map_of(taps_, input);
    return target_ == nullptr ? map : target_->apply(map);
  }
  double num_elements(const CountInput& input) const;  // of all samples: B Ct Y X, or N Ht
  std::string describe_taps() const { return taps_text(taps_) + (target_ == nullptr ? "" : " by PHI-S"); }
  // Both readings of the weight: on the mean over `num_units` of a sample, and on their sum.
  std::string describe_weight(bool on_mean, double num_units, const char* unit) const;

 private:
  TapPair taps_;
  PhiSTarget* target_ = nullptr;  // of the loss's block; null: the teacher's features as they are
};

// A feature loss that compares maps after alignment and has no other block.
class AlignedLoss : public FeatureLoss {
 public:
  AlignedLoss(const LossEntry& entry, TapPair taps, const AlignedOptions& options);
  AlignedLoss(const LossEntry& entry, TapPair taps, const TargetOptions& options);
  Module* trainable() override {
    return block_->is_identity() && block_->target() == nullptr ? nullptr : block_.get();
  }

 protected:
  at::Tensor aligned_map(const LossInput& input) {
    return block_->align(student_map(input));
  }  // (B, Ct, Y, X)

 private:
  std::unique_ptr<AlignBlock> block_;
};

// The stream that the blocks of a loss start from.
RandomStream init_stream(const LossEntry& entry, const TapPair& taps);

// One loss L(entry, taps, options) for each pair of the entry. `ignore`: keys of the entry that are not in
// Options.
template <class L, class Options>
LossList make_feature_losses(const LossEntry& entry, const std::vector<std::string>& ignore = {"name"},
                             const TapRules& rules = {}) {
  Options options;
  LossList losses;
  if (!read_entry(entry, options, ignore)) return losses;
  for (TapPair& taps : resolve_taps(entry, options, rules))
    losses.push_back(std::make_unique<L>(entry, std::move(taps), options));
  return losses;
}

}  // namespace mgd
