#include <ATen/ops/empty.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/mask/units.h"

namespace mgd {
namespace {

// Squares of size x size positions on a fixed grid from the top left, or stretches of size tokens; the last
// ones may be cut. A square is hidden or visible as a whole. Neighbouring positions of a map tell nearly the
// same: hiding one alone hides little.
class BlockSampler final : public MaskSampler {
 public:
  BlockSampler(std::int64_t size, bool exact) : size_(size), exact_(exact) {
    if (size_ < 1) fail(ExitCode::usage, "mask block: size: got {}, expected 1 or more", size_);
  }

  at::Tensor sample(const std::vector<std::int64_t>& shape, double ratio,
                    const MaskDraw& draw) const override {
    const MapShape map = MapShape::of(shape, "block");
    const std::int64_t rows = cells(map.height), columns = cells(map.width);
    const auto batch = static_cast<std::int64_t>(draw.sample_ids.size());
    const at::Tensor grid = draw_batch(rows * columns, ratio, exact_, draw);  // (B, rows * columns)
    at::Tensor keep = at::empty({batch, 1, map.height, map.width}, at::kBool);

    const bool* cell = grid.const_data_ptr<bool>();
    bool* out = keep.mutable_data_ptr<bool>();
    for (std::int64_t b = 0; b < batch; ++b, cell += rows * columns) {
      for (std::int64_t y = 0; y < map.height; ++y) {
        const bool* row = cell + (y / size_) * columns;
        for (std::int64_t x = 0; x < map.width; x += size_)
          out = std::fill_n(out, std::min(size_, map.width - x), row[x / size_]);
      }
    }
    return keep;
  }

  // Stretches of `size` tokens from the beginning of each sequence; the last one may be cut.
  at::Tensor sample_rows(const RowsShape& shape, double ratio, const MaskDraw& draw) const override {
    MGD_ASSERT(shape.offsets.size() == draw.sample_ids.size() + 1);
    at::Tensor keep = at::empty({shape.offsets.back(), 1}, at::kBool);
    bool* out = keep.mutable_data_ptr<bool>();
    for (std::size_t s = 0; s < draw.sample_ids.size(); ++s) {
      const std::int64_t length = shape.offsets[s + 1] - shape.offsets[s];
      const at::Tensor stretches =
          draw_batch(cells(length), ratio, exact_,
                     {.key = draw.key, .step = draw.step, .sample_ids = draw.sample_ids.subspan(s, 1)});
      const bool* stretch = stretches.const_data_ptr<bool>();
      for (std::int64_t t = 0; t < length; t += size_)
        out = std::fill_n(out, std::min(size_, length - t), stretch[t / size_]);
    }
    return keep;
  }

 private:
  // Without adding size - 1, which could overflow for a huge size.
  std::int64_t cells(std::int64_t length) const { return length / size_ + (length % size_ != 0 ? 1 : 0); }

  std::int64_t size_;
  bool exact_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_block_sampler(const MaskOptions& options) {
  return std::make_unique<BlockSampler>(options.size, options.exact);
}

}  // namespace mgd
