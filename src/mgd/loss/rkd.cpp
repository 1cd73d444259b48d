#include <ATen/TensorOperators.h>
#include <ATen/core/Reduction.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cdist.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/smooth_l1_loss.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>

#include <algorithm>
#include <limits>

#include "mgd/loss/feature.h"
#include "mgd/loss/pieces.h"
#include "mgd/nn/autocast.h"

namespace mgd {
namespace {

struct RelationalOptions : FeatureOptions {
  double distance_weight = 25, angle_weight = 50;
  void visit(OptionVisitor& v) {
    LossOptions::visit(v);
    visit_taps(v);
    v.option("distance_weight", distance_weight,
             {.help = "factor of the distances of pairs", .min = 0, .max = 1e6});
    v.option("angle_weight", angle_weight,
             {.help = "factor of the angles of triplets", .min = 0, .max = 1e6});
  }
};

// (B, D) -> (B, B): Euclidean, in units of the mean of those that are not 0.
at::Tensor distances(const at::Tensor& e) {
  // Mode 2: by differences; a product of matrices would lose what near samples differ in.
  const at::Tensor d = at::cdist(e, e, 2, 2);
  const auto positive = static_cast<double>(at::sum(d > 0).item<std::int64_t>());
  return positive == 0 ? d : d / (at::sum(d) / positive);
}

// (B, D) -> (n, B, B): the cosine of the angle at j between i and k, for j in [first, first + n).
at::Tensor angles(const at::Tensor& e, std::int64_t first, std::int64_t n) {
  const at::Tensor to = e.unsqueeze(0) - e.narrow(0, first, n).unsqueeze(1);  // [j, i] = e_i - e_j
  const at::Tensor norm = at::linalg_vector_norm(to, 2, at::IntArrayRef{2}, /*keepdim=*/true);
  // Samples at one place have no direction from one to the other: cosine 0, and no gradient. A small bound in
  // place of the norm would make their gradient huge.
  const at::Tensor unit = to / at::where(norm > 0, norm, std::numeric_limits<double>::infinity());
  return at::bmm(unit, unit.transpose(1, 2));
}

at::Tensor angle_sum(const at::Tensor& student, const at::Tensor& teacher, std::int64_t first,
                     std::int64_t n) {
  return at::smooth_l1_loss(angles(student, first, n), angles(teacher, first, n), at::Reduction::Sum, 1.0);
}

// Over all B^3 triplets. Above 256 samples in pieces, each with its gradient at once, so that no more than
// one piece is in memory.
at::Tensor angle_sum(const at::Tensor& student, const at::Tensor& teacher) {
  constexpr std::int64_t kTripletsAtOnce = 256 * 256 * 256;
  const std::int64_t batch = student.size(0);
  const std::int64_t piece = std::max<std::int64_t>(1, kTripletsAtOnce / (batch * batch));
  return sum_of_pieces(student, (batch + piece - 1) / piece, [&](const at::Tensor& e, std::int64_t p) {
    return angle_sum(e, teacher, p * piece, std::min(piece, batch - p * piece));
  });
}

// Huber distance of the student's relations from the teacher's: distances of pairs, each side in units of its
// own mean, and cosines of the angles of triplets; both as means over all pairs and triplets, counted per
// sample of the step. Embeddings are vectors, or means of maps over positions; they are not normalised. Park
// et al., "Relational Knowledge Distillation", section 3.
class Relational final : public FeatureLoss {
 public:
  Relational(const LossEntry& entry, TapPair pair, const RelationalOptions& options)
      : FeatureLoss(std::move(pair), options),
        distance_weight_(options.distance_weight),
        angle_weight_(options.angle_weight) {
    entry.require_a_factor({"distance_weight", distance_weight_}, {"angle_weight", angle_weight_});
  }

  Scope scope() const override { return Scope::step; }
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = student_embedding(taps(), input), teacher = teacher_embedding(taps(), input);
    const AutocastGuard without_autocast(false, student.device());  // in bfloat16 a cosine has two digits
    const auto batch = static_cast<double>(student.size(0));
    if (batch < 2) return at::sum(student) * 0.0;  // one sample has no relations
    const at::Tensor pairs =
        at::smooth_l1_loss(distances(student), distances(teacher), at::Reduction::Sum, 1.0);
    // Means over B^2 and B^3, times B.
    return distance_weight_ / batch * pairs + angle_weight_ / (batch * batch) * angle_sum(student, teacher);
  }

  std::string describe() const override {
    return taps_text(taps(), /*as_it_is=*/true) +
           fmt::format(
               "; weight {:g} per sample, distances {:g}, angles {:g}; over the "
               "whole step",
               weight(), distance_weight_, angle_weight_);
  }

 private:
  double distance_weight_, angle_weight_;
};

}  // namespace

LossList make_rkd_losses(const LossEntry& entry) {
  return make_feature_losses<Relational, RelationalOptions>(entry, {"name"},
                                                            {.vectors = true, .any_size = true});
}

}  // namespace mgd
