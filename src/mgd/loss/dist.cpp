#include <ATen/TensorOperators.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/logits.h"

namespace mgd {
namespace {

struct CorrelationOptions : LogitOptions {
  CorrelationOptions() { temperature = 1; }
  double beta = 1, gamma = 1;
  void visit(OptionVisitor& v) {
    LogitOptions::visit(v);
    v.option("beta", beta, {.help = "factor of the relations between classes", .min = 0, .max = 1e6});
    v.option("gamma", gamma,
             {.help = "factor of the relations between samples, within a class", .min = 0, .max = 1e6});
  }
};

// 1 - mean of Pearson's correlation along dimension `along`. (B, K) both
at::Tensor pearson_distance(const at::Tensor& student, const at::Tensor& teacher, std::int64_t along) {
  const at::IntArrayRef dims(along);
  const auto centred = [&](const at::Tensor& p) { return p - at::mean(p, dims, /*keepdim=*/true); };
  const at::Tensor s = centred(student), t = centred(teacher);
  // The bound of the authors' code.
  const at::Tensor norms = at::linalg_vector_norm(s, 2, dims) * at::linalg_vector_norm(t, 2, dims) + 1e-8;
  return 1 - at::mean(at::sum(s * t, dims) / norms);
}

// T^2 (beta inter + gamma intra): one minus the mean correlation of the student's probabilities with the
// teacher's, over the classes of a sample, and over the samples of a class. Count: samples. Intra relates all
// samples of a step; of a single one there is none, and the term is 0. Huang et al., "Knowledge Distillation
// from A Stronger Teacher", section 3; T^2 as in mmrazor.
class Correlation final : public LogitLoss {
 public:
  Correlation(const LossEntry& entry, const CorrelationOptions& options)
      : LogitLoss(entry, options), beta_(options.beta), gamma_(options.gamma) {
    entry.require_a_factor({"beta", beta_}, {"gamma", gamma_});
  }

  Scope scope() const override { return Scope::step; }

  at::Tensor sum(const LossInput& input) override {
    const LogitPair pair = exact_logits(input);
    const std::int64_t batch = pair.student.size(0);
    if (batch == 0) return as_given(at::sum(pair.student), input);
    const double t = temperature();
    const at::Tensor student = at::softmax(pair.student / t, 1), teacher = at::softmax(pair.teacher / t, 1);
    at::Tensor distance = beta_ * pearson_distance(student, teacher, 1);
    if (batch > 1) distance = distance + gamma_ * pearson_distance(student, teacher, 0);
    return as_given(t * t * static_cast<double>(batch) * distance, input);
  }

  std::string describe() const override {
    return describe_logits() + fmt::format(", beta {:g}, gamma {:g}; over the whole step", beta_, gamma_);
  }

 private:
  double beta_, gamma_;
};

}  // namespace

LossList make_dist_losses(const LossEntry& entry) {
  return make_logit_loss<Correlation, CorrelationOptions>(entry, 1);
}

}  // namespace mgd
