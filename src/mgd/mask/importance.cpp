#include <ATen/ops/ones.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "mgd/core/error.h"
#include "mgd/mask/units.h"

namespace mgd {
namespace {

// The round(ratio * Y * X) positions of largest score + Gumbel noise: drawn one after the other without
// putting back, each with a probability in proportion to its weight (Kool et al., "Stochastic Beams and Where
// to Find Them", section 2.3). The noise is a double: one of 2^24 floats would repeat in a large map.
class ImportanceSampler final : public MaskSampler {
 public:
  explicit ImportanceSampler(std::string name) : name_(std::move(name)) {}

  at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                    const MaskDraw& draw) const override {
    const MapShape map = MapShape::of(shape, name_.c_str());
    const std::int64_t positions = map.height * map.width;
    const auto batch = static_cast<std::int64_t>(draw.sample_ids.size());
    at::Tensor keep = at::ones({batch, positions}, at::kBool);
    if (positions == 0 || batch == 0) return keep.view({batch, 1, map.height, map.width});
    at::Tensor scores;
    if (draw.scores.defined()) {
      MGD_ASSERT(draw.scores.dim() == 2 && draw.scores.size(0) == batch && draw.scores.size(1) == positions);
      scores = draw.scores.cpu().to(at::kDouble).contiguous();
    }
    bool* row = keep.mutable_data_ptr<bool>();
    const double* score = scores.defined() ? scores.const_data_ptr<double>() : nullptr;
    for (const std::int64_t id : draw.sample_ids) {
      hide_strongest({row, static_cast<std::size_t>(positions)}, score, ratio,
                     RandomStream(draw.key, draw.step, static_cast<std::uint64_t>(id)));
      row += positions;
      if (score != nullptr) score += positions;
    }
    return keep.view({batch, 1, map.height, map.width});
  }

  at::Tensor sample_rows(const RowsShape&, double, const MaskDraw&) const override {
    refuse_rows(name_.c_str());
  }

 private:
  static void hide_strongest(std::span<bool> keep, const double* scores, double ratio, RandomStream stream) {
    std::vector<std::pair<double, std::size_t>> order(keep.size());
    for (std::size_t i = 0; i < keep.size(); ++i) {
      // The middle of one of 2^53 intervals: neither 0 nor 1.
      const double gumbel = -std::log(-std::log(stream.uniform() + 0x1p-54));
      const double noisy = (scores == nullptr ? 0.0 : scores[i]) + gumbel;
      // A NaN has no order; its loss is none either.
      order[i] = {std::isnan(noisy) ? -std::numeric_limits<double>::infinity() : noisy, i};
    }
    const auto hidden = std::lround(ratio * static_cast<double>(keep.size()));
    std::nth_element(order.begin(), order.begin() + hidden, order.end(), std::greater<>());
    for (long i = 0; i < hidden; ++i) keep[order[static_cast<std::size_t>(i)].second] = false;
  }

  std::string name_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_importance_sampler(const MaskOptions& options) {
  return std::make_unique<ImportanceSampler>(options.mask);
}

}  // namespace mgd
