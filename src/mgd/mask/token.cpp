#include "mgd/core/error.h"
#include "mgd/mask/units.h"

namespace mgd {
namespace {

// Whole rows of a text: what `spatial` is for maps.
class TokenSampler final : public MaskSampler {
 public:
  explicit TokenSampler(bool exact) : exact_(exact) {}

  at::Tensor sample(const std::vector<std::int64_t>&, double, const MaskDraw&) const override {
    fail(ExitCode::usage, "mask: token hides rows, and the node is a map; use spatial");
  }

  at::Tensor sample_rows(const RowsShape& shape, double ratio, const MaskDraw& draw) const override {
    return draw_rows(shape, 1, ratio, exact_, draw);
  }

 private:
  bool exact_;
};

}  // namespace

std::unique_ptr<MaskSampler> make_token_sampler(const MaskOptions& options) {
  return std::make_unique<TokenSampler>(options.exact);
}

}  // namespace mgd
