#include "mgd/loss/logits.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/max.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/min.h>
#include <ATen/ops/std.h>

#include <array>

#include "mgd/core/error.h"
#include "mgd/ops/argument.h"

namespace mgd {

void LogitOptions::visit(OptionVisitor& v) {
  LossOptions::visit(v);
  v.option("temperature", temperature,
           {.help = "divides the logits before the softmax", .min = 0, .max = 1000, .min_open = true});
  v.option("standardize", standardize,
           {.help = "each sample's logits to mean 0 and deviation 1 before the temperature, which is then 2 "
                    "unless given; the weight of kd and dkd is then 9 unless given"});
}

void settle_standardised(const LossEntry& entry, LogitOptions& options, double weight_factor) {
  if (!options.standardize) return;
  if (entry.context.num_classes == 2)
    entry.refuse(
        "standardize: the two logits of two classes become +-0.707 whatever the teacher says; leave it out",
        "standardize");
  if (entry.node.find("temperature") == nullptr) options.temperature = 2;
  if (entry.node.find("weight") == nullptr) options.weight = weight_factor;
}

LogitLoss::LogitLoss(const LossEntry& entry, const LogitOptions& options)
    : NamedLoss(entry, options), temperature_(options.temperature), standardize_(options.standardize) {}

namespace {

// Sun et al., with the unbiased deviation and the bound of the authors' code.
at::Tensor standardised(const at::Tensor& logits) {  // (B, K), same shape
  constexpr std::array<std::int64_t, 1> classes = {1};
  return (logits - at::mean(logits, classes, /*keepdim=*/true)) /
         (at::std(logits, classes, /*unbiased=*/true, /*keepdim=*/true) + 1e-7);
}

}  // namespace

LogitPair LogitLoss::pair_of(const LossInput& input, bool exact) const {
  const at::Tensor &of_student = input.student.logits, &of_teacher = input.teacher.logits;
  for (const at::Tensor* given : {&of_student, &of_teacher})
    if (!is_real(*given, 2))
      refuse("losses." + label(), given == &of_student ? "student_logits" : "teacher_logits", *given,
             "numbers (B, K)");
  if (of_student.size(1) != of_teacher.size(1))
    fail(ExitCode::usage, "losses.{}: the student has {} classes and the teacher {}, expected the same",
         label(), of_student.size(1), of_teacher.size(1));
  const auto widened = [exact](const at::Tensor& values) {
    return exact ? values.to(at::kDouble) : at_least_float(values);
  };
  const at::Tensor student = widened(of_student), teacher = widened(of_teacher.detach());
  if (!standardize_) return {.student = student, .teacher = teacher};
  return {.student = standardised(student), .teacher = standardised(teacher)};
}

LogitPair LogitLoss::logits(const LossInput& input) const {
  return pair_of(input, /*exact=*/false);
}

LogitPair LogitLoss::exact_logits(const LossInput& input) const {
  return pair_of(input, /*exact=*/true);
}

at::Tensor LogitLoss::as_given(const at::Tensor& sum, const LossInput& input) {
  return input.student.logits.scalar_type() == at::kDouble ? sum : sum.to(at::kFloat);
}

std::string LogitLoss::describe_logits(const char* unit) const {
  return fmt::format("weight {:g} per {}, temperature {:g}{}", weight(), unit, temperature_,
                     standardize_ ? ", standardised logits" : "");
}

void refuse_other_answers(const LossEntry& entry, const LogitRules& rules) {
  entry.require_teacher();
  if (entry.context.answers == AnswerKind::embedding)
    entry.refuse("compares logits, and a sentence encoder has none; use embedding");
  if (entry.context.answers == AnswerKind::vocabulary && !rules.vocabulary)
    entry.refuse("compares answers in classes, and a language model answers with a vocabulary; use kd");
}

void check_class_range(const at::Tensor& target, std::int64_t num_classes, const std::string& label) {
  // On the CPU only: elsewhere the look at a value would hold up the device.
  if (!target.is_cpu() || target.numel() == 0) return;
  const auto least = target.min().item<std::int64_t>(), most = target.max().item<std::int64_t>();
  if (least < 0 || most >= num_classes)
    fail(ExitCode::usage, "losses.{}: target: got class {}, expected 0 to {}", label,
         least < 0 ? least : most, num_classes - 1);
}

at::Tensor classes_of(const Batch& batch, std::int64_t num_samples, std::int64_t num_classes,
                      const std::string& label) {
  const at::Tensor &hard = batch.target, &soft = batch.target_probs;
  const bool fits = soft.defined()
                        ? is_real(soft, 2) && soft.size(0) == num_samples && soft.size(1) == num_classes
                        : hard.defined() && hard.dim() == 1 && hard.size(0) == num_samples &&
                              hard.scalar_type() == at::kLong;
  if (!fits)
    fail(ExitCode::usage,
         "losses.{}: got target {}, target_probs {}; expected int64 ({}) or numbers ({}, {})", label,
         outline_of(hard), outline_of(soft), num_samples, num_samples, num_classes);
  if (soft.defined()) return at::argmax(soft, 1);
  check_class_range(hard, num_classes, label);
  return hard;
}

at::Tensor without_target(const at::Tensor& logits, const at::Tensor& target) {
  const at::Tensor others =
      at::arange(logits.size(1), target.options()).unsqueeze(0) != target.unsqueeze(1);  // (B, K)
  return at::masked_select(logits, others).view({logits.size(0), logits.size(1) - 1});
}

}  // namespace mgd
