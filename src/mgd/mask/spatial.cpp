#include "mgd/mask/units.h"

namespace mgd {
namespace {

// Positions of a sample, all channels together: equation (3) of the MGD paper.
class SpatialSampler final : public MaskSampler {
 public:
  explicit SpatialSampler(bool exact) : exact_(exact) {}

  at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                    const MaskDraw& draw) const override {
    const MapShape map = MapShape::of(shape, "spatial");
    const auto batch = static_cast<std::int64_t>(draw.sample_ids.size());
    return draw_batch(map.height * map.width, ratio, exact_, draw).view({batch, 1, map.height, map.width});
  }

  at::Tensor sample_rows(const RowsShape&, double, const MaskDraw&) const override { refuse_rows("spatial"); }

 private:
  bool exact_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_spatial_sampler(const MaskOptions& options) {
  return std::make_unique<SpatialSampler>(options.exact);
}

}  // namespace mgd
