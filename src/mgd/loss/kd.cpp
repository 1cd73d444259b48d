#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

struct KdOptions : LossOptions {
  KdOptions() { weight = 0.9; }  // with cross-entropy at 0.1
  double temperature = 4;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("temperature", temperature,
             {.help = "divides the logits before the softmax", .min = 0, .max = 1000, .min_open = true});
  }
};

// T^2 KL(softmax(t / T) || softmax(s / T)), count: samples. Hinton et al., "Distilling the Knowledge in a
// Neural Network", section 2.
class KnowledgeDistillation final : public NamedLoss {
 public:
  KnowledgeDistillation(const LossEntry& entry, const KdOptions& options)
      : NamedLoss(entry, options), temperature_(options.temperature) {}

  bool needs_teacher() const override { return true; }
  bool reads_teacher_logits() const override { return true; }
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

  at::Tensor sum(const LossInput& input) override {
    for (const at::Tensor* logits : {&input.student_logits, &input.teacher_logits})
      if (!is_real(*logits, 2))
        refuse("losses." + label(), logits == &input.student_logits ? "student_logits" : "teacher_logits",
               *logits, "numbers (B, K)");
    if (input.student_logits.size(1) != input.teacher_logits.size(1))
      fail(ExitCode::usage, "losses.{}: the student has {} classes and the teacher {}, expected the same",
           label(), input.student_logits.size(1), input.teacher_logits.size(1));
    return softmax_kl(at_least_float(input.student_logits), at_least_float(input.teacher_logits),
                      temperature_);
  }

  std::string describe() const override {
    return fmt::format("weight {:g} per sample, temperature {:g}", weight(), temperature_);
  }

 private:
  double temperature_;
};

}  // namespace

LossList make_kd_losses(const LossEntry& entry) {
  LossList losses = make_one_loss<KnowledgeDistillation, KdOptions>(entry);
  if (entry.context.teacher.empty()) entry.refuse("needs a teacher, and the recipe has none");
  return losses;
}

}  // namespace mgd
