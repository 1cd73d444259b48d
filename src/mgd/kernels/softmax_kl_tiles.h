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

}  // namespace
}  // namespace mgd
