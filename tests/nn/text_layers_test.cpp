#include "mgd/nn/text_layers.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/randn.h>
#include <gtest/gtest.h>

#include "mgd/core/memory.h"

namespace mgd {
namespace {

TEST(Activate, GeluIsThatOfTheLibraryWithItsGradient) {
  for (const std::int64_t rows : {0, 1, 37}) {
    const at::Tensor x = at::randn({rows, 24}).requires_grad_(true),
                     y = x.detach().clone().requires_grad_(true);
    const at::Tensor ours = activate(x, "gelu"), exact = at::gelu(y.to(at::kDouble));
    EXPECT_TRUE(ours.is_contiguous());
    EXPECT_TRUE(ours.allclose(exact.to(at::kFloat), 1e-5, 1e-6));
    ours.sum().backward();
    exact.sum().backward();
    EXPECT_TRUE(x.grad().allclose(y.grad(), 1e-5, 1e-6));
  }
}

// Packed batches have a new shape in every step.
TEST(Activate, NothingIsKeptOfAShape) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "the sanitizer keeps freed memory";
#endif
  constexpr std::int64_t kShapes = 40;
  const auto run = [](std::int64_t rows) {
    activate(at::randn({rows, 256}).requires_grad_(true), "gelu").sum().backward();
  };
  run(1000 + kShapes);
  const std::uint64_t before = resident_bytes();
  for (std::int64_t i = 0; i < kShapes; ++i) run(1000 + i);
  EXPECT_LT(resident_bytes(), before + kShapes * (std::uint64_t{1} << 20));
}

}  // namespace
}  // namespace mgd
