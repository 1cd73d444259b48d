#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/ops/argument.h"
#include "mgd/ops/divergence.h"

namespace mgd {
namespace {

struct KdOptions : LossOptions {
  KdOptions() { weight = 0.9; }  // with cross-entropy at 0.1
  double temperature = 4;
  std::string divergence = "forward";
  double beta = 0.5;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    v.option("temperature", temperature,
             {.help = "divides the logits before the softmax", .min = 0, .max = 1000, .min_open = true});
    v.option("divergence", divergence,
             {.help = "KL(teacher || student), KL(student || teacher), or Jensen and Shannon's between them",
              .choices = {"forward", "reverse", "jsd"}});
    v.option("beta", beta,
             {.help = "of jsd: the teacher's share of the mixture", .min = 0.001, .max = 0.999});
  }
  DivergenceOptions formula() const {
    return {.kind = divergence == "forward"   ? Divergence::forward
                    : divergence == "reverse" ? Divergence::reverse
                                              : Divergence::jsd,
            .temperature = temperature,
            .beta = beta};
  }
};

// T^2 times a divergence of softmax(t / T) and softmax(s / T), see ops/divergence.h; count: samples, or of a
// language model targets: over the vocabulary, at the target rows only. Hinton et al., "Distilling the
// Knowledge in a Neural Network", section 2.
class KnowledgeDistillation final : public NamedLoss {
 public:
  KnowledgeDistillation(const LossEntry& entry, const KdOptions& options)
      : NamedLoss(entry, options),
        options_(options),
        of_tokens_(entry.context.answers == AnswerKind::vocabulary) {}

  bool needs_teacher() const override { return true; }
  bool reads_teacher_logits() const override { return true; }
  double count(const CountInput& input) const override {
    return static_cast<double>(of_tokens_ ? input.num_targets : input.batch_size);
  }

  at::Tensor sum(const LossInput& input) override {
    const Record &student = input.student, &teacher = input.teacher;
    if (student.head.defined()) return head_divergence(student.head, teacher.head, options_.formula());
    for (const at::Tensor* logits : {&student.logits, &teacher.logits})
      if (!is_real(*logits, 2))
        refuse("losses." + label(), logits == &student.logits ? "student_logits" : "teacher_logits", *logits,
               "numbers (B, K)");
    if (student.logits.size(1) != teacher.logits.size(1))
      fail(ExitCode::usage, "losses.{}: the student has {} classes and the teacher {}, expected the same",
           label(), student.logits.size(1), teacher.logits.size(1));
    return divergence(at_least_float(student.logits), at_least_float(teacher.logits), options_.formula());
  }

  std::string describe() const override {
    std::string text = fmt::format("weight {:g} per {}, temperature {:g}", weight(),
                                   of_tokens_ ? "target" : "sample", options_.temperature);
    if (options_.divergence != "forward") text += ", " + options_.divergence;
    if (options_.divergence == "jsd") text += fmt::format(" (beta {:g})", options_.beta);
    return text;
  }

 private:
  KdOptions options_;
  bool of_tokens_;
};

}  // namespace

LossList make_kd_losses(const LossEntry& entry) {
  LossList losses = make_one_loss<KnowledgeDistillation, KdOptions>(entry);
  if (entry.context.teacher.empty()) entry.refuse("needs a teacher, and the recipe has none");
  if (entry.context.answers == AnswerKind::embedding)
    entry.refuse("compares logits, and a sentence encoder has none; use embedding");
  return losses;
}

}  // namespace mgd
