// What the losses between logits share: their options, the pair of logits, and the class of each sample.
#pragma once

#include "mgd/loss/entry.h"

namespace mgd {

struct LogitOptions : LossOptions {
  double temperature = 4;
  bool standardize = false;
  void visit(OptionVisitor& v);
};

// The logits that meet. Both (B, K), at least float, standardised when the recipe says so.
struct LogitPair {
  at::Tensor student;
  at::Tensor teacher;  // without gradient
};

// Throws Error(usage) for a class outside 0 ... num_classes - 1. target (B) int64; looked at on the CPU only.
void check_class_range(const at::Tensor& target, std::int64_t num_classes, const std::string& label);

// (B) int64: the target of each sample; of mixed pictures the class with the largest share. Throws
// Error(usage) with the loss's label for targets that are not of so many samples and classes.
at::Tensor classes_of(const Batch& batch, std::int64_t num_samples, std::int64_t num_classes,
                      const std::string& label);

class LogitLoss : public NamedLoss {
 public:
  LogitLoss(const LossEntry& entry, const LogitOptions& options);

  bool needs_teacher() const override { return true; }
  bool reads_teacher_logits() const override { return true; }
  double temperature() const override { return temperature_; }
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

 protected:
  // Throws Error(usage) when one is no matrix of numbers, and when the two have different numbers of classes.
  LogitPair logits(const LossInput& input) const;
  // The same in double: for losses of what is left beside the largest probability, of which a float has
  // nothing once that is near 1. `as_given` makes a sum from them one of the inputs' type.
  LogitPair exact_logits(const LossInput& input) const;
  static at::Tensor as_given(const at::Tensor& sum, const LossInput& input);
  bool standardises() const { return standardize_; }
  at::Tensor targets(const LossInput& input) const {  // (B), see classes_of
    return classes_of(input.batch, input.student.logits.size(0), input.student.logits.size(1), label());
  }
  // "weight 0.9 per sample, temperature 4"
  std::string describe_logits(const char* unit = "sample") const;

 private:
  LogitPair pair_of(const LossInput& input, bool exact) const;

  double temperature_;
  bool standardize_;
};

// The (B, K) logits without that of the target, (B, K - 1), in their order.
at::Tensor without_target(const at::Tensor& logits, const at::Tensor& target);

// What `standardize: true` changes of the defaults: Sun et al., "Logit Standardization in Knowledge
// Distillation", multiply the weight by 9 and divide by the temperature 2. Refuses two classes, which
// standardisation makes +-0.707, however sure the teacher is.
void settle_standardised(const LossEntry& entry, LogitOptions& options, double weight_factor);

// What else a loss between logits takes.
struct LogitRules {
  bool vocabulary = false;  // answers of language models
};

// Throws Error(usage) where there are no such logits on one of the sides.
void refuse_other_answers(const LossEntry& entry, const LogitRules& rules);

// An entry that gives one LossType(entry, options) between logits. `weight_factor`: see above.
template <class LossType, class Options>
LossList make_logit_loss(const LossEntry& entry, double weight_factor, const LogitRules& rules = {}) {
  Options options;
  LossList losses;
  if (!read_entry(entry, options)) return losses;
  refuse_other_answers(entry, rules);
  settle_standardised(entry, options, weight_factor);
  losses.push_back(std::make_unique<LossType>(entry, options));
  return losses;
}

}  // namespace mgd
