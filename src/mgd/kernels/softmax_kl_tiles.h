// The body of the kernels; one .cpp an instruction set includes it.
//
// With e = exp(z - max z), sums S and T of the student's and the teacher's e, and p = e / T of the teacher:
//   KL = sum p ((z - max z) of the teacher - (z - max z) of the student) - log T + log S.
// A row is read once for its maxima and once for everything else; e goes where the gradient will stand.
#pragma once

#include <algorithm>
#include <cmath>

#include "mgd/kernels/simd.h"
#include "mgd/kernels/softmax_kl.h"

namespace mgd {
namespace {

// Comparisons lose NaN; the exponentials find it again.
inline float most_in(const float* x, std::int64_t count) {
  Vec most = all(x[0]);
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) most = greater(most, load_anywhere(x + i));
  return most_of(greater(most, load_first(x + i, count - i, x[0])));
}

struct KlSums {
  double student = 0, teacher = 0;  // of e
  double product = 0;               // of the teacher's e and the difference of z
};

// One vector of both rows: e, and what it adds to the sums.
struct KlTerms {
  Vec student, teacher, product;
};
struct KlScale {
  float student_most, teacher_most, inverse_temperature;
  KlTerms terms(Vec s, Vec t) const {
    const Vec zs = (s - student_most) * inverse_temperature, zt = (t - teacher_most) * inverse_temperature;
    const Vec es = exp_nonpositive(zs), et = exp_nonpositive(zt);
    return {es, et, et * (zt - zs)};
  }
};

template <bool kGrad>
KlSums sums_of(const SoftmaxKlRow& row, const KlScale scale) {
  constexpr std::int64_t kBlock = 64 * kLanes;  // floats within, doubles over the blocks
  const float *student = row.student, *teacher = row.teacher;
  float *grad = row.grad, *scratch = row.scratch;
  KlSums total;
  const auto add = [&](const KlTerms& block) {
    total.student += static_cast<double>(sum_of(block.student));
    total.teacher += static_cast<double>(sum_of(block.teacher));
    total.product += static_cast<double>(sum_of(block.product));
  };
  const std::int64_t whole = row.width / kLanes * kLanes, rest = row.width - whole;
  for (std::int64_t begin = 0; begin < whole; begin += kBlock) {
    KlTerms block{};
    for (std::int64_t i = begin; i < std::min(begin + kBlock, whole); i += kLanes) {
      const KlTerms terms = scale.terms(load_anywhere(student + i), load_anywhere(teacher + i));
      block.student += terms.student;
      block.teacher += terms.teacher;
      block.product += terms.product;
      if constexpr (kGrad) {
        store_anywhere(grad + i, terms.student);
        store_anywhere(scratch + i, terms.teacher);
      }
    }
    add(block);
  }
  if (rest == 0) return total;
  const Vec ones = all(1);
  const Vec counts = load_first(reinterpret_cast<const float*>(&ones), rest, 0);
  KlTerms terms = scale.terms(load_first(student + whole, rest, scale.student_most),
                              load_first(teacher + whole, rest, scale.teacher_most));
  if constexpr (kGrad) {
    store_first(grad + whole, rest, terms.student);
    store_first(scratch + whole, rest, terms.teacher);
  }
  add({terms.student * counts, terms.teacher * counts, terms.product * counts});
  return total;
}

// From the exponentials that sums_of() left.
inline void finish_grad(const SoftmaxKlRow& row, const KlSums& sums) {
  const auto of_student = static_cast<float>(row.grad_factor / sums.student),
             of_teacher = static_cast<float>(row.grad_factor / sums.teacher);
  float *grad = row.grad, *scratch = row.scratch;
  std::int64_t i = 0;
  for (; i + kLanes <= row.width; i += kLanes)
    store_anywhere(grad + i, load_anywhere(grad + i) * of_student - load_anywhere(scratch + i) * of_teacher);
  const std::int64_t rest = row.width - i;
  store_first(grad + i, rest,
              load_first(grad + i, rest, 0) * of_student - load_first(scratch + i, rest, 0) * of_teacher);
}

double row(const SoftmaxKlRow& of) {
  const KlScale scale{most_in(of.student, of.width), most_in(of.teacher, of.width), of.inverse_temperature};
  KlSums sums;
  if (of.grad == nullptr) {
    sums = sums_of<false>(of, scale);
  } else {
    sums = sums_of<true>(of, scale);
    finish_grad(of, sums);
  }
  return sums.product / sums.teacher - std::log(sums.teacher) + std::log(sums.student);
}

// x becomes exp((x - most) * inverse_temperature); their sum.
inline double exponentials(float* x, std::int64_t width, float most, float inverse_temperature) {
  constexpr std::int64_t kBlock = 64 * kLanes;  // floats within, doubles over the blocks
  const std::int64_t whole = width / kLanes * kLanes, rest = width - whole;
  double total = 0;
  for (std::int64_t begin = 0; begin < whole; begin += kBlock) {
    Vec block{};
    for (std::int64_t i = begin; i < std::min(begin + kBlock, whole); i += kLanes) {
      const Vec e = exp_nonpositive((load_anywhere(x + i) - most) * inverse_temperature);
      store_anywhere(x + i, e);
      block += e;
    }
    total += static_cast<double>(sum_of(block));
  }
  if (rest == 0) return total;
  store_first(x + whole, rest,
              exp_nonpositive((load_first(x + whole, rest, most) - most) * inverse_temperature));
  return total + static_cast<double>(sum_of(load_first(x + whole, rest, 0)));
}

inline double sum_all(const float* x, std::int64_t width) {
  constexpr std::int64_t kBlock = 64 * kLanes;
  double total = 0;
  std::int64_t i = 0;
  while (i + kLanes <= width) {
    Vec block{};
    for (const std::int64_t end = std::min(i + kBlock, width - kLanes + 1); i < end; i += kLanes)
      block += load_anywhere(x + i);
    total += static_cast<double>(sum_of(block));
  }
  return i == width ? total : total + static_cast<double>(sum_of(load_first(x + i, width - i, 0)));
}

inline void scale_all(float* x, std::int64_t width, float factor) {
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes) store_anywhere(x + i, load_anywhere(x + i) * factor);
  if (i < width) store_first(x + i, width - i, load_first(x + i, width - i, 0) * factor);
}

double bins(const SoftmaxBinsRow& of) {
  constexpr double kLeast = 1e-38;  // of a student so sure that nothing is left
  const float most = most_in(of.logits, of.width);
  double divergence = 0;
  // ln q of the known entries, but for ln of the sum.
  for (std::int64_t k = 0; k < of.known; ++k)
    of.scratch[k] = (of.logits[of.ids[k]] - most) * of.inverse_temperature;
  const double sum = exponentials(of.logits, of.width, most, of.inverse_temperature), log_sum = std::log(sum);
  for (std::int64_t k = 0; k < of.known; ++k) {
    const double log_p = static_cast<double>(of.log_p[k]), p = static_cast<double>(std::exp(of.log_p[k]));
    if (p > 0) divergence += p * (log_p - (static_cast<double>(of.scratch[k]) - log_sum));
    of.scratch[k] = static_cast<float>(static_cast<double>(of.logits[of.ids[k]]) / sum - p);
    of.logits[of.ids[k]] = 0;
  }
  const double left = std::max(sum_all(of.logits, of.width) / sum, kLeast);
  const double r = static_cast<double>(std::exp(of.log_rest));
  if (r > 0) divergence += r * (static_cast<double>(of.log_rest) - std::log(left));
  if (of.grad_factor == 0) return std::isnan(sum) ? sum : divergence;
  scale_all(of.logits, of.width, static_cast<float>((1 - r / left) / sum * of.grad_factor));
  for (std::int64_t k = 0; k < of.known; ++k)
    of.logits[of.ids[k]] = static_cast<float>(of.grad_factor) * of.scratch[k];
  return std::isnan(sum) ? sum : divergence;
}

}  // namespace
}  // namespace mgd
