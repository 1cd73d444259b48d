// A convolution over positions, row by row, against LibTorch's conv1d of each sequence by itself.
#include "mgd/ops/row_conv.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <numeric>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using Rows = std::vector<std::int64_t>;

const Rows kOffsets = {0, 4, 4, 5, 11};  // one sequence is empty, one has a single row

at::Tensor normal(at::IntArrayRef shape) {
  return at::randn(shape, at::TensorOptions().dtype(at::kDouble));
}

at::Tensor each_sequence(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& bias) {
  std::vector<at::Tensor> parts;
  for (std::size_t s = 0; s + 1 < kOffsets.size(); ++s) {
    if (kOffsets[s + 1] == kOffsets[s]) continue;
    const at::Tensor rows = x.narrow(0, kOffsets[s], kOffsets[s + 1] - kOffsets[s]).t().unsqueeze(0);
    parts.push_back(at::conv1d(rows, weight, bias, 1, 1).squeeze(0).t());
  }
  return at::cat(parts);
}

TEST(RowConv, IsConv1dOfEachSequence) {
  Rows all(11);
  std::iota(all.begin(), all.end(), 0);
  const at::Tensor x = normal({11, 3}), weight = normal({5, 3, 3}), bias = normal({5});
  const at::Tensor got = row_conv3(x, row_pairs(kOffsets, all, all), weight, bias);
  EXPECT_TRUE(at::allclose(got, each_sequence(x, weight, bias), 1e-12, 1e-12));
}

// Rows that are left out count as zeros, and only the asked ones are made.
TEST(RowConv, OfSomeRowsForSomeRows) {
  const Rows in = {0, 2, 4, 9}, out = {1, 2, 3, 10};
  at::Tensor x = at::zeros({11, 3}, at::TensorOptions().dtype(at::kDouble));
  const at::Tensor seen = normal({4, 3});
  for (std::size_t i = 0; i < in.size(); ++i) x[in[i]] = seen[static_cast<std::int64_t>(i)];
  const at::Tensor weight = normal({2, 3, 3}), bias = normal({2});
  const at::Tensor whole = each_sequence(x, weight, bias);
  const at::Tensor got = row_conv3(seen, row_pairs(kOffsets, in, out), weight, bias);
  ASSERT_EQ(got.sizes(), (at::IntArrayRef{4, 2}));
  for (std::size_t j = 0; j < out.size(); ++j)
    EXPECT_TRUE(at::allclose(got[static_cast<std::int64_t>(j)], whole[out[j]], 1e-12, 1e-12)) << out[j];
}

TEST(RowConv, NothingInGivesTheBias) {
  const at::Tensor bias = normal({2});
  const at::Tensor got =
      row_conv3(normal({0, 3}), row_pairs(kOffsets, {}, Rows{0, 5}), normal({2, 3, 3}), bias);
  EXPECT_TRUE(at::equal(got, bias.unsqueeze(0).expand({2, 2})));
}

TEST(RowConv, RefusesOtherShapes) {
  EXPECT_THROW(row_conv3(normal({4, 3}), row_pairs(kOffsets, Rows{0, 1, 2, 3}, Rows{0}), normal({2, 4, 3}),
                         normal({2})),
               Error);
}

// The rows that come out begin as the bias, and are added to.
TEST(RowConv, ASingleRowLeavesTheBiasAsItIs) {
  const at::Tensor bias = normal({3}), before = bias.clone();
  const Rows row = {4};
  row_conv3(normal({1, 2}), row_pairs(kOffsets, row, row), normal({3, 2, 3}), bias);
  EXPECT_TRUE(at::equal(bias, before));
}

}  // namespace
}  // namespace mgd
