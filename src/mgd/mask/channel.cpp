#include <ATen/ops/repeat_interleave.h>
#include <ATen/ops/tensor.h>

#include "mgd/mask/units.h"

namespace mgd {
namespace {

// Whole channels of a sample: what the published classification recipes of MGD do.
class ChannelSampler final : public MaskSampler {
 public:
  explicit ChannelSampler(bool exact) : exact_(exact) {}

  at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                    const MaskDraw& draw) const override {
    const MapShape map = MapShape::of(shape, "channel");
    const auto batch = static_cast<std::int64_t>(draw.sample_ids.size());
    return draw_batch(map.channels, ratio, exact_, draw).view({batch, map.channels, 1, 1});
  }

  at::Tensor sample_rows(const RowsShape& shape, double ratio, const MaskDraw& draw) const override {
    std::vector<std::int64_t> lengths;
    for (std::size_t s = 0; s + 1 < shape.offsets.size(); ++s)
      lengths.push_back(shape.offsets[s + 1] - shape.offsets[s]);
    return at::repeat_interleave(draw_batch(shape.width, ratio, exact_, draw), at::tensor(lengths), 0);
  }

 private:
  bool exact_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_channel_sampler(const MaskOptions& options) {
  return std::make_unique<ChannelSampler>(options.exact);
}

}  // namespace mgd
