#include <ATen/TensorOperators.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>

#include "mgd/loss/feature.h"

namespace mgd {
namespace {

struct PearsonOptions : FeatureOptions {
  PearsonOptions() { weight = 6; }
};

// Half the squared error between maps of which each channel is standardised over the samples of the step and
// all positions; count: elements. Cao et al., "PKD: General Distillation Framework for Object Detectors via
// Pearson Correlation Coefficient": one minus the mean correlation of the channels,
// but for (n - 1) / n. Nothing is aligned: the channels must be as many.
class Pearson final : public FeatureLoss {
 public:
  Pearson(const LossEntry& entry, TapPair pair, const PearsonOptions& options)
      : FeatureLoss(std::move(pair), options) {
    if (taps().student_shape[0] != taps().teacher_shape[0])
      entry.refuse(
          fmt::format("student '{}' has {} channels and teacher '{}' {}, expected as many: it "
                      "compares channel with channel; mimic and mgd align",
                      taps().student, taps().student_shape[0], taps().teacher, taps().teacher_shape[0]),
          "student_tap");
  }

  Scope scope() const override { return Scope::step; }

  double count(const CountInput& input) const override {
    return static_cast<double>(input.batch_size) * taps().teacher_elements();
  }

  at::Tensor sum(const LossInput& input) override {
    return 0.5 * at::sum(at::square(standardised_channels(student_map(input)) -
                                    standardised_channels(teacher_map(input))));
  }

  std::string describe() const override {
    return describe_taps() + "; " + describe_weight(true, taps().teacher_elements(), "elements") +
           "; standardised over the whole step";
  }

  Maps illustrate(const LossInput& input) override {
    return {{"aligned", standardised_channels(student_map(input))},
            {"teacher", standardised_channels(teacher_map(input))}};
  }
};

}  // namespace

LossList make_pkd_losses(const LossEntry& entry) {
  return make_feature_losses<Pearson, PearsonOptions>(entry);
}

}  // namespace mgd
