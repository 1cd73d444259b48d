// Masks of the rows of packed texts.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"
#include "mgd/mask/mask_source.h"

namespace mgd {
namespace {

const std::vector<std::int64_t> kOffsets = {0, 5, 6, 13};
constexpr std::int64_t kTeacher = 6;

NodeInfo rows_of(std::int64_t width) {
  return {.axes = Axes::rows, .sizes = {width}};
}

// A mask of rows belongs to the sequence, wherever it lies in the batch.
TEST(MaskContractOfRows, Line11_RowsAreDrawnForEachSequence) {
  for (const char* mask : {"token", "element", "channel"}) {
    const MaskSource source({.mask = mask, .mask_ratio = 0.5}, 3, "mgd");
    Batch all, last;
    all.sample_ids = {7, 8, 9};
    all.tokens.offsets = kOffsets;
    last.sample_ids = {9};
    last.tokens.offsets = {0, 7};
    const at::Tensor whole = source.draw(rows_of(kTeacher), all, 4, 0),
                     part = source.draw(rows_of(kTeacher), last, 4, 0);
    EXPECT_TRUE(at::equal(whole.narrow(0, 6, 7), part)) << mask;
    EXPECT_FALSE(at::equal(whole, source.draw(rows_of(kTeacher), all, 5, 0))) << mask;
  }
  const MaskSource block({.mask = "block"}, 3, "mgd");
  Batch batch;
  batch.sample_ids = {7, 8, 9};
  batch.tokens.offsets = kOffsets;
  EXPECT_THROW(block.draw(rows_of(kTeacher), batch, 0, 0), Error);
}

}  // namespace
}  // namespace mgd
