// Every instruction set this machine has against plain loops in double; counts that end within a period.
#include "mgd/kernels/batch_norm.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "mgd/core/philox.h"
#include "usable_isas.h"

namespace mgd {
namespace {

using Floats = std::vector<float>;

struct Case {
  std::int64_t period, count;
  Floats x, grad, shortcut, mean, scale, bias, slope, offset;

  Case(std::int64_t columns, std::int64_t n) : period(columns), count(n) {
    RandomStream random(random_key(5, "batch_norm"), 0, 0);
    const auto fill = [&](std::int64_t size) {
      Floats values(static_cast<std::size_t>(size));
      for (float& v : values) v = static_cast<float>(random.normal());
      return values;
    };
    x = fill(n), grad = fill(n), shortcut = fill(n);
    mean = fill(period), scale = fill(period), bias = fill(period), slope = fill(period),
    offset = fill(period);
  }
  NormColumns columns() const { return {period, mean.data(), scale.data(), bias.data()}; }
  double d(std::size_t i) const { return static_cast<double>(x[i]) - static_cast<double>(mean[column(i)]); }
  double z(std::size_t i, bool with_shortcut) const {
    return d(i) * static_cast<double>(scale[column(i)]) + static_cast<double>(bias[column(i)]) +
           (with_shortcut ? static_cast<double>(shortcut[i]) : 0);
  }
  std::size_t column(std::size_t i) const { return i % static_cast<std::size_t>(period); }
};

constexpr NormClamp kRelu6{0, 1};  // limits that values reach

void expect_near(const Floats& made, const std::vector<double>& expected, double tolerance,
                 const char* what) {
  ASSERT_EQ(made.size(), expected.size());
  for (std::size_t i = 0; i < made.size(); ++i)
    ASSERT_NEAR(static_cast<double>(made[i]), expected[i], tolerance) << what << " " << i;
}

void check(const BatchNormKernel& kernel, const Case& c) {
  const auto n = c.x.size(), p = static_cast<std::size_t>(c.period);
  // Sums are added to what is there.
  Floats first(p, 2), second(p, 3);
  kernel.moments(c.x.data(), c.count, c.period, c.mean.data(), first.data(), second.data());
  std::vector<double> sums(p, 2), squares(p, 3);
  for (std::size_t i = 0; i < n; ++i) sums[c.column(i)] += c.d(i), squares[c.column(i)] += c.d(i) * c.d(i);
  expect_near(first, sums, 1e-4, "sum");
  expect_near(second, squares, 1e-3, "square");

  for (const bool shortcut : {false, true}) {
    Floats y(n), to_shortcut(n), to_x(n), grads(p, 2), products(p, 3);
    kernel.apply(c.x.data(), shortcut ? c.shortcut.data() : nullptr, c.count, c.columns(), kRelu6, y.data());
    const NormGrad from{c.x.data(), c.grad.data(), shortcut ? y.data() : nullptr};
    kernel.grad_sums(from, c.count, c.columns(), kRelu6, grads.data(), products.data(),
                     shortcut ? to_shortcut.data() : nullptr);
    kernel.input_grad(from, c.count, c.columns(), kRelu6, c.slope.data(), c.offset.data(), to_x.data());
    std::vector<double> out(n), g(n), gx(n), g_sum(p, 2), g_product(p, 3);
    for (std::size_t i = 0; i < n; ++i) {
      out[i] = std::clamp(c.z(i, shortcut), 0.0, 1.0);
      // At a limit rounding decides; then what the kernel said counts.
      g[i] = y[i] > 0 && y[i] < 1 ? static_cast<double>(c.grad[i]) : 0;
      const auto k = c.column(i);
      gx[i] = g[i] * static_cast<double>(c.scale[k]) + c.d(i) * static_cast<double>(c.slope[k]) +
              static_cast<double>(c.offset[k]);
      g_sum[k] += g[i], g_product[k] += g[i] * c.d(i);
    }
    expect_near(y, out, 1e-5, "y");
    expect_near(grads, g_sum, 1e-4, "sum of gradients");
    expect_near(products, g_product, 1e-3, "sum of products");
    expect_near(to_x, gx, 1e-4, "gradient of x");
    if (shortcut) expect_near(to_shortcut, g, 0, "gradient of the shortcut");
  }
}

TEST(BatchNormKernel, EveryInstructionSetOnOddSizes) {
  std::int64_t run = 0;
  for (const IsaState& state : usable_isas()) {
    SCOPED_TRACE(state.name);
    for (const std::int64_t period : {16, 48, 64, 80, 272})
      for (const std::int64_t count :
           {period, 5 * period, 3 * period + 1, 7 * period + 15, period / 2, std::int64_t{0}}) {
        SCOPED_TRACE(testing::Message() << period << " columns, " << count);
        check(batch_norm_kernel(state.isa), Case(period, count));
        ++run;
      }
  }
  EXPECT_GE(run, 30);
}

TEST(BatchNormKernel, NanStaysNan) {
  for (const IsaState& state : usable_isas()) {
    Case c(16, 20);  // a vector and a rest
    c.x[3] = c.x[18] = std::numeric_limits<float>::quiet_NaN();
    Floats y(20);
    batch_norm_kernel(state.isa).apply(c.x.data(), nullptr, 20, c.columns(), {0, 6}, y.data());
    for (std::size_t i = 0; i < y.size(); ++i)
      EXPECT_EQ(std::isnan(y[i]), i == 3 || i == 18) << state.name << " " << i;
  }
}

}  // namespace
}  // namespace mgd
