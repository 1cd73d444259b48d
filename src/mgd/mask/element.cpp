#include "mgd/mask/units.h"

namespace mgd {
namespace {

// Single nodes, each by itself.
class ElementSampler final : public MaskSampler {
 public:
  explicit ElementSampler(bool exact) : exact_(exact) {}

  at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                    const MaskDraw& draw) const override {
    const MapShape map = MapShape::of(shape, "element");
    const auto batch = static_cast<std::int64_t>(draw.sample_ids.size());
    return draw_batch(map.channels * map.height * map.width, ratio, exact_, draw)
        .view({batch, map.channels, map.height, map.width});
  }

  at::Tensor sample_rows(const RowsShape& shape, double ratio, const MaskDraw& draw) const override {
    return draw_rows(shape, shape.width, ratio, exact_, draw);
  }

 private:
  bool exact_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_element_sampler(const MaskOptions& options) {
  return std::make_unique<ElementSampler>(options.exact);
}

}  // namespace mgd
