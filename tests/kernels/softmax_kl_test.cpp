// Every instruction set this machine has against plain loops in double; rows that end within a vector.
#include "mgd/kernels/softmax_kl.h"

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

Floats drawn(std::int64_t width, double deviation, const char* purpose) {
  RandomStream random(random_key(5, purpose), 0, 0);
  Floats values(static_cast<std::size_t>(width));
  for (float& v : values) v = static_cast<float>(deviation * random.normal());
  return values;
}

std::vector<double> log_softmax(const Floats& x, double inverse_temperature) {
  const double most = static_cast<double>(*std::max_element(x.begin(), x.end())) * inverse_temperature;
  double sum = 0;
  for (const float v : x) sum += std::exp(static_cast<double>(v) * inverse_temperature - most);
  std::vector<double> result;
  for (const float v : x)
    result.push_back(static_cast<double>(v) * inverse_temperature - most - std::log(sum));
  return result;
}

struct Made {
  double kl = 0;
  Floats grad;
};

Made made(const SoftmaxKlKernel& kernel, const Floats& student, const Floats& teacher, float inverse) {
  constexpr float kUntouched = 77;
  const std::size_t width = student.size();
  Floats grad(width + 1, kUntouched), scratch(width + 1, kUntouched);
  SoftmaxKlRow row{.student = student.data(),
                   .teacher = teacher.data(),
                   .width = static_cast<std::int64_t>(width),
                   .inverse_temperature = inverse,
                   .grad = grad.data(),
                   .grad_factor = 3,
                   .scratch = scratch.data()};
  const double kl = kernel.row(row);
  EXPECT_EQ(grad.back(), kUntouched);
  EXPECT_EQ(scratch.back(), kUntouched);
  row.grad = row.scratch = nullptr;
  const double alone = kernel.row(row);
  EXPECT_TRUE(alone == kl || (std::isnan(alone) && std::isnan(kl)));
  grad.pop_back();
  return {kl, grad};
}

// Against k known entries and the rest, in double.
void check_bins(const SoftmaxKlKernel& kernel, std::int64_t width, std::int64_t known, float inverse) {
  const Floats student = drawn(width, 3, "student"), teacher = drawn(width, 3, "teacher");
  const auto log_q = log_softmax(student, static_cast<double>(inverse)),
             log_t = log_softmax(teacher, static_cast<double>(inverse));
  std::vector<std::int64_t> ids;
  Floats log_p, scratch(static_cast<std::size_t>(known));
  double r = 1, left = 1, expected = 0;
  std::vector<double> p(student.size(), -1);
  for (std::int64_t k = 0; k < known; ++k) {
    const auto id = static_cast<std::size_t>((k + 3) % width);
    ids.push_back(static_cast<std::int64_t>(id));
    log_p.push_back(static_cast<float>(log_t[id]));
    p[id] = std::exp(log_t[id]);
    r -= p[id], left -= std::exp(log_q[id]);
    expected += p[id] * (log_t[id] - log_q[id]);
  }
  const bool all = known == width;
  if (!all) expected += r * (std::log(r) - std::log(left));
  constexpr float kUntouched = 77;
  Floats logits = student;
  logits.push_back(kUntouched);
  SoftmaxBinsRow row{
      .logits = logits.data(),
      .width = width,
      .inverse_temperature = inverse,
      .ids = ids.data(),
      .log_p = log_p.data(),
      .known = known,
      .log_rest = all ? -std::numeric_limits<float>::infinity() : static_cast<float>(std::log(r)),
      .scratch = scratch.data(),
      .grad_factor = 3};
  const double got = kernel.bins(row);
  EXPECT_NEAR(got, expected, 1e-5 * (1 + std::abs(expected)));
  EXPECT_EQ(logits.back(), kUntouched);
  for (std::size_t i = 0; i < p.size(); ++i) {
    const double q = std::exp(log_q[i]);
    ASSERT_NEAR(static_cast<double>(logits[i]), 3 * (p[i] >= 0 ? q - p[i] : q * (1 - r / left)), 4e-6) << i;
  }
}

void check(const SoftmaxKlKernel& kernel, std::int64_t width, double deviation, float inverse) {
  const Floats student = drawn(width, deviation, "student"), teacher = drawn(width, deviation, "teacher");
  const auto log_s = log_softmax(student, static_cast<double>(inverse)),
             log_t = log_softmax(teacher, static_cast<double>(inverse));
  const Made got = made(kernel, student, teacher, inverse);
  double kl = 0;
  for (std::size_t i = 0; i < log_s.size(); ++i) {
    kl += std::exp(log_t[i]) * (log_t[i] - log_s[i]);
    ASSERT_NEAR(static_cast<double>(got.grad[i]), 3 * (std::exp(log_s[i]) - std::exp(log_t[i])), 4e-6) << i;
  }
  ASSERT_NEAR(got.kl, kl, 2e-6 * std::max(1.0, kl));
  // What is alike does not differ.
  const Made same = made(kernel, student, student, inverse);
  ASSERT_NEAR(same.kl, 0, 1e-12);
  for (const float g : same.grad) ASSERT_NEAR(g, 0, 1e-6);
}

TEST(SoftmaxKlKernel, EveryInstructionSetOnOddSizes) {
  std::int64_t run = 0;
  for (const IsaState& state : usable_isas()) {
    SCOPED_TRACE(state.name);
    for (const std::int64_t width : {1, 3, 4, 10, 15, 16, 17, 100, 1000, 1024, 1025, 2049, 5003})
      for (const double deviation : {0.1, 3.0, 60.0})
        for (const float inverse : {1.0F, 0.25F, 1.0F / 3}) {
          SCOPED_TRACE(testing::Message() << width << " logits of " << deviation << ", 1 / T " << inverse);
          check(softmax_kl_kernel(state.isa), width, deviation, inverse);
          ++run;
        }
  }
  EXPECT_GE(run, 100);
}

TEST(SoftmaxBins, AgreesWithPlainLoops) {
  for (const auto& state : usable_isas())
    for (const std::int64_t width : {2, 7, 16, 17, 65, 1030})
      for (const std::int64_t known : {std::int64_t{1}, std::int64_t{2}, std::min<std::int64_t>(width, 16)})
        for (const float inverse : {1.0F, 0.5F})
          check_bins(softmax_kl_kernel(state.isa), width, known, inverse);
}

TEST(SoftmaxKlKernel, WhatIsBrokenStaysBroken) {
  const float nan = std::numeric_limits<float>::quiet_NaN(),
              infinite = std::numeric_limits<float>::infinity();
  for (const IsaState& state : usable_isas()) {
    const SoftmaxKlKernel kernel = softmax_kl_kernel(state.isa);
    for (const std::size_t place : {0U, 7U, 33U, 36U})  // first, within a vector, in the rest
      for (const float value : {nan, infinite})
        for (const bool of_student : {true, false}) {
          SCOPED_TRACE(testing::Message() << state.name << " " << place << " " << value << of_student);
          Floats student = drawn(37, 1, "student"), teacher = drawn(37, 1, "teacher");
          (of_student ? student : teacher)[place] = value;
          const Made got = made(kernel, student, teacher, 0.25F);
          EXPECT_TRUE(std::isnan(got.kl));
          for (const float g : got.grad) EXPECT_TRUE(std::isnan(g));
        }
    // A class that the teacher rules out costs nothing.
    const Made none = made(kernel, {0, 0, 0}, {0, 0, -1e30F}, 1);
    EXPECT_NEAR(none.kl, std::log(1.5), 1e-6);
    EXPECT_NEAR(none.grad[2], 1, 1e-6);
  }
}

}  // namespace
}  // namespace mgd
