#include "mgd/loss/logits.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/argmax.h>
#include <ATen/ops/masked_select.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/std.h>

#include <array>

#include "mgd/core/error.h"

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

LogitPair LogitLoss::logits(const LossInput& input) const {
  MGD_ASSERT(input.teacher_logits.defined());
  if (input.student_logits.size(1) != input.teacher_logits.size(1))
    fail(ExitCode::usage, "losses.{}: the student has {} classes and the teacher {}, expected the same",
         label(), input.student_logits.size(1), input.teacher_logits.size(1));
  const at::Tensor student = at_least_float(input.student_logits),
                   teacher = at_least_float(input.teacher_logits.detach());
  if (!standardize_) return {.student = student, .teacher = teacher};
  return {.student = standardised(student), .teacher = standardised(teacher)};
}

LogitPair LogitLoss::exact_logits(const LossInput& input) const {
  LossInput exact = input;
  exact.student_logits = input.student_logits.to(at::kDouble);
  exact.teacher_logits = input.teacher_logits.to(at::kDouble);
  return logits(exact);
}

at::Tensor LogitLoss::as_given(const at::Tensor& sum, const LossInput& input) {
  return input.student_logits.scalar_type() == at::kDouble ? sum : sum.to(at::kFloat);
}

std::string LogitLoss::describe_logits() const {
  return fmt::format("weight {:g} per sample, temperature {:g}{}", weight(), temperature_,
                     standardize_ ? ", standardised logits" : "");
}

at::Tensor classes_of(const Batch& batch) {
  return batch.target_probs.defined() ? at::argmax(batch.target_probs, 1) : batch.target;
}

at::Tensor without_target(const at::Tensor& logits, const at::Tensor& target) {
  const at::Tensor others =
      at::arange(logits.size(1), target.options()).unsqueeze(0) != target.unsqueeze(1);  // (B, K)
  return at::masked_select(logits, others).view({logits.size(0), logits.size(1) - 1});
}

}  // namespace mgd
