#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"
#include "mgd/loss/logits.h"
#include "mgd/ops/divergence.h"

namespace mgd {
namespace {

struct KdOptions : LogitOptions {
  KdOptions() { weight = 0.9; }  // with cross-entropy at 0.1
  std::string divergence = "forward";
  double beta = 0.5;
  void visit(OptionVisitor& v) {
    LogitOptions::visit(v);
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
class KnowledgeDistillation final : public LogitLoss {
 public:
  KnowledgeDistillation(const LossEntry& entry, const KdOptions& options)
      : LogitLoss(entry, options),
        options_(options),
        of_tokens_(entry.context.answers == AnswerKind::vocabulary) {
    refuse_idle(entry.node, entry.where(), options,
                {{"beta", options.divergence != "jsd",
                  fmt::format("divergence: {} mixes nothing, it goes with jsd", options.divergence)}});
    if (standardises() && of_tokens_)
      entry.refuse("standardize: it is for logits of classes, and a language model's are of a vocabulary",
                   "standardize");
    if (standardises() && options.divergence != "forward")
      entry.refuse(
          fmt::format("standardize: it goes with divergence: forward only, got {}", options.divergence),
          "standardize");
  }

  double count(const CountInput& input) const override {
    return of_tokens_ ? static_cast<double>(input.num_targets) : LogitLoss::count(input);
  }

  at::Tensor sum(const LossInput& input) override {
    const Record &student = input.student, &teacher = input.teacher;
    if (student.head.defined() && teacher.top.defined())
      return head_divergence(student.head, teacher.top, options_.formula());
    if (student.head.defined()) return head_divergence(student.head, teacher.head, options_.formula());
    // The divergence of standardised logits at temperature 2 is small, and T^2 magnifies its rounding.
    const LogitPair pair = standardises() ? exact_logits(input) : logits(input);
    const at::Tensor sum = divergence(pair.student, pair.teacher, options_.formula());
    return standardises() ? as_given(sum, input) : sum;
  }

  std::string describe() const override {
    std::string text = describe_logits(of_tokens_ ? "target" : "sample");
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
  return make_logit_loss<KnowledgeDistillation, KdOptions>(entry, 9, {.vocabulary = true});
}

}  // namespace mgd
