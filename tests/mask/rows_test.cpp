// Masks of the rows of packed texts.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

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
  for (const char* mask : {"token", "element", "channel", "block"}) {
    const MaskSource source({.mask = mask, .mask_ratio = 0.5, .size = 2}, 3, "mgd");
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
  const MaskSource spatial({.mask = "spatial"}, 3, "mgd");
  Batch batch;
  batch.sample_ids = {7, 8, 9};
  batch.tokens.offsets = kOffsets;
  EXPECT_THROW(spatial.draw(rows_of(kTeacher), batch, 0, 0), Error);
}

// Sequences of 7 and 2 tokens have stretches of 3, 3, 1 and 2.
TEST(MaskContractOfRows, ABlockIsAStretchThatEndsWithItsSequence) {
  const MaskSource source({.mask = "block", .mask_ratio = 0.5, .size = 3}, 3, "mgd");
  Batch batch;
  batch.sample_ids = {1, 2};
  batch.tokens.offsets = {0, 7, 9};
  std::set<std::string> seen;
  double hidden = 0;
  constexpr int kDraws = 400;
  for (std::uint32_t step = 0; step < kDraws; ++step) {
    const at::Tensor keep = source.draw(rows_of(kTeacher), batch, step, 0);
    ASSERT_EQ(keep.sizes(), (std::vector<std::int64_t>{9, 1}));
    std::string drawn;
    for (std::int64_t t = 0; t < 9; ++t) drawn += keep[t][0].item<bool>() ? '1' : '0';
    EXPECT_EQ(drawn[0], drawn[2]);
    EXPECT_EQ(drawn.substr(0, 2), drawn.substr(1, 2));
    EXPECT_EQ(drawn.substr(3, 2), drawn.substr(4, 2));
    EXPECT_EQ(drawn[7], drawn[8]);
    seen.insert(drawn);
    hidden += static_cast<double>(std::count(drawn.begin(), drawn.end(), '0')) / 9;
  }
  EXPECT_EQ(seen.size(), 16U);
  EXPECT_NEAR(hidden / kDraws, 0.5, 0.05);
  const MaskSource exact({.mask = "block", .mask_ratio = 0.5, .size = 65536, .exact = true}, 3, "mgd");
  EXPECT_FALSE(
      exact.draw(rows_of(kTeacher), batch, 0, 0).any().item<bool>());  // one stretch each: round(0.5) = 1
}

}  // namespace
}  // namespace mgd
