#include <fmt/core.h>

#include "mgd/loss/feature.h"
#include "mgd/ops/softmax_kl.h"

namespace mgd {
namespace {

struct ChannelWiseOptions : AlignedOptions {
  double temperature = 4;
  void visit(OptionVisitor& v) {
    AlignedOptions::visit(v);
    v.option("temperature", temperature,
             {.help = "divides the map before the softmax", .min = 0, .max = 1000, .min_open = true});
  }
};

// Each channel becomes a distribution over positions by a softmax at temperature T; T^2 KL(teacher ||
// student), count: samples times channels. Shu et al., "Channel-wise Knowledge Distillation for Dense
// Prediction", equations (4) and (5).
class ChannelWise final : public AlignedLoss {
 public:
  ChannelWise(const LossEntry& entry, TapPair taps, const ChannelWiseOptions& options)
      : AlignedLoss(entry, std::move(taps), options), temperature_(options.temperature) {}

  double count(const CountInput& input) const override {
    return static_cast<double>(input.batch_size) * channels();
  }

  at::Tensor sum(const LossInput& input) override {
    return softmax_kl(channel_rows(aligned_map(input)), channel_rows(teacher_map(input)), temperature_);
  }

  std::string describe() const override {
    return describe_taps() + "; " + describe_weight(true, channels(), "channels") +
           fmt::format(", temperature {:g}", temperature_);
  }

  Maps illustrate(const LossInput& input) override {
    return {{"aligned", aligned_map(input)}, {"teacher", teacher_map(input)}};
  }

 private:
  double channels() const { return static_cast<double>(taps().teacher_shape[0]); }
  static at::Tensor channel_rows(const at::Tensor& map) {  // (B, C, Y, X) -> (B*C, Y*X)
    return map.flatten(2).flatten(0, 1);
  }

  double temperature_;
};

}  // namespace

LossList make_cwd_losses(const LossEntry& entry) {
  return make_feature_losses<ChannelWise, ChannelWiseOptions>(entry);
}

}  // namespace mgd
