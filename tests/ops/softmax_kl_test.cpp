#include "mgd/ops/softmax_kl.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "ops/attention_support.h"

namespace mgd {
namespace {

struct Result {
  at::Tensor loss, grad;
};

template <class Loss>
Result result_of(const at::Tensor& student, const at::Tensor& teacher, at::ScalarType type,
                 const Loss& loss) {
  const at::Tensor s = student.detach().to(type).set_requires_grad(true);
  const at::Tensor total = loss(s, teacher.to(type));
  (total * 0.5).backward();
  return {total.detach(), s.grad()};
}

at::Tensor by_operators(const at::Tensor& student, const at::Tensor& teacher, double temperature) {
  const at::Tensor s = at::log_softmax(student / temperature, 1),
                   t = at::log_softmax(teacher / temperature, 1);
  return at::sum(at::exp(t) * (t - s)) * (temperature * temperature);
}

// The errors against double are at most twice those of the operators in float, over the cases of a
// temperature.
TEST(SoftmaxKl, ErrsNoMoreThanTheOperators) {
  for (const double temperature : {1.0, 4.0, 3.0}) {
    double loss[2] = {0, 0}, grad[2] = {0, 0};
    for (const std::int64_t classes : {1, 10, 37, 1000, 8192})
      for (const double deviation : {0.5, 5.0, 30.0}) {
        const at::Tensor student = at::randn({33, classes}) * deviation,
                         teacher = at::randn({33, classes}) * deviation;
        const auto naive = [&](const at::Tensor& s, const at::Tensor& t) {
          return by_operators(s, t, temperature);
        };
        const auto fused = [&](const at::Tensor& s, const at::Tensor& t) {
          return softmax_kl(s, t, temperature);
        };
        const Result exact = result_of(student, teacher, at::kDouble, naive);
        const double scale = std::max(1.0, exact.loss.item<double>());
        const Result of[2] = {result_of(student, teacher, at::kFloat, fused),
                              result_of(student, teacher, at::kFloat, naive)};
        for (int i = 0; i < 2; ++i) {
          loss[i] += worst(of[i].loss, exact.loss) / scale;
          grad[i] += worst(of[i].grad, exact.grad);
        }
        EXPECT_EQ(of[0].loss.scalar_type(), at::kFloat);
        // Double takes the operators.
        EXPECT_LT(
            worst(softmax_kl(student.to(at::kDouble), teacher.to(at::kDouble), temperature), exact.loss),
            1e-12 * scale);
      }
    EXPECT_LE(loss[0], 2 * loss[1]) << temperature;
    EXPECT_LE(grad[0], 2 * grad[1]) << temperature;
    EXPECT_LT(grad[1], 1e-4) << "the naive error is no excuse for any error";
  }
}

TEST(SoftmaxKl, ThreadsStridesAndGradientsDoNotMatter) {
  const at::Tensor student = at::randn({200, 301}), teacher = at::randn({200, 301});
  const auto fused = [](const at::Tensor& s, const at::Tensor& t) { return softmax_kl(s, t, 4); };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Result one = result_of(student, teacher, at::kFloat, fused);
  at::set_num_threads(3);
  const Result three = result_of(student, teacher, at::kFloat, fused);
  at::set_num_threads(threads);
  EXPECT_EQ(worst(one.loss, three.loss), 0);
  EXPECT_EQ(worst(one.grad, three.grad), 0);
  const auto turned = [](const at::Tensor& x) { return x.t().contiguous().t(); };
  EXPECT_EQ(worst(softmax_kl(turned(student), turned(teacher), 4), one.loss), 0);
  EXPECT_FALSE(softmax_kl(student, teacher, 4).requires_grad());
  EXPECT_EQ(softmax_kl(student.narrow(0, 0, 0), teacher.narrow(0, 0, 0), 4).item<double>(), 0);
}

TEST(SoftmaxKl, NanStaysNan) {
  at::Tensor student = at::randn({5, 20});
  student[3][19] = std::numeric_limits<float>::quiet_NaN();
  const Result result =
      result_of(student, at::randn({5, 20}), at::kFloat,
                [](const at::Tensor& s, const at::Tensor& t) { return softmax_kl(s, t, 4); });
  EXPECT_TRUE(std::isnan(result.loss.item<double>()));
  EXPECT_TRUE(result.grad[3].isnan().all().item<bool>());
  EXPECT_FALSE(result.grad[2].isnan().any().item<bool>());
}

}  // namespace
}  // namespace mgd
