#include "mgd/nn/autocast.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

at::ScalarType product_dtype() {
  const at::Tensor a = at::ones({2, 2});
  return at::matmul(a, a).scalar_type();
}

TEST(Autocast, HoldsForItsScopeOnly) {
  EXPECT_EQ(product_dtype(), at::kFloat);
  {
    const AutocastGuard on(true, at::kCPU);
    EXPECT_EQ(product_dtype(), at::kBFloat16);
    {
      const AutocastGuard off(false, at::kCPU);
      EXPECT_EQ(product_dtype(), at::kFloat);
    }
    EXPECT_EQ(product_dtype(), at::kBFloat16);
  }
  EXPECT_EQ(product_dtype(), at::kFloat);
}

TEST(Autocast, IsRestoredWhenAnErrorPasses) {
  try {
    const AutocastGuard on(true, at::kCPU);
    throw 1;
  } catch (int) {
  }
  EXPECT_EQ(product_dtype(), at::kFloat);
}

// A cast weight that outlived its guard would make the next step use the old values.
TEST(Autocast, SeesNewWeightsInTheNextScope) {
  at::Tensor weight = at::ones({2, 2}).set_requires_grad(true);
  const at::Tensor x = at::ones({2, 2});
  for (double scale : {1.0, 3.0}) {
    weight.data().fill_(scale);
    const AutocastGuard on(true, at::kCPU);
    EXPECT_EQ(at::matmul(x, weight).sum().item().toDouble(), 8 * scale);
  }
}

TEST(Autocast, KnowsItsTwoPrecisions) {
  EXPECT_TRUE(autocast_wanted("bf16"));
  EXPECT_FALSE(autocast_wanted("fp32"));
  try {
    autocast_wanted("bf61");
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::usage);
    EXPECT_NE(std::string(e.what()).find("did you mean 'bf16'"), std::string::npos) << e.what();
  }
}

}  // namespace
}  // namespace mgd
