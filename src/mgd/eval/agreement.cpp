#include "mgd/eval/agreement.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/linalg_norm.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>

#include <unordered_map>

#include "mgd/core/error.h"

namespace mgd {

double feature_similarity(const at::Tensor& a, const at::Tensor& b) {
  if (!a.defined() || !b.defined() || a.dim() != 2 || b.dim() != 2 || a.size(0) != b.size(0) || a.size(0) < 2)
    fail(ExitCode::usage, "feature_similarity: expected two matrices of as many rows, two at least");
  const auto centred = [](const at::Tensor& rows) {
    const at::Tensor exact = rows.to(at::kDouble);
    return exact - exact.mean(0, true);
  };
  const at::Tensor x = centred(a), y = centred(b);
  const auto norm_of = [](const at::Tensor& l, const at::Tensor& r) {
    return at::linalg_norm(at::mm(l.t(), r)).item<double>();
  };
  const double across = norm_of(x, y);
  return across * across / (norm_of(x, x) * norm_of(y, y));
}

Figures agreement(const Answers& student, const Answers& teacher, bool of_classes) {
  std::unordered_map<std::int64_t, std::int64_t> rows;  // of the teacher, by sample
  for (std::size_t i = 0; i < teacher.samples.size(); ++i)
    rows[teacher.samples[i]] = static_cast<std::int64_t>(i);
  std::vector<std::int64_t> left, right;
  for (std::size_t i = 0; i < student.samples.size(); ++i)
    if (const auto found = rows.find(student.samples[i]); found != rows.end()) {
      left.push_back(static_cast<std::int64_t>(i));
      right.push_back(found->second);
    }
  Figures figures;
  if (left.empty()) return figures;
  const at::Tensor of_student = at::tensor(left), of_teacher = at::tensor(right);
  if (of_classes) {
    if (student.logits.size(1) != teacher.logits.size(1))
      fail(ExitCode::usage, "agreement: got answers in {} and in {} classes, expected the same",
           student.logits.size(1), teacher.logits.size(1));
    const at::Tensor s = student.logits.index_select(0, of_student).to(at::kDouble);
    const at::Tensor t = teacher.logits.index_select(0, of_teacher).to(at::kDouble);
    const at::Tensor log_q = at::log_softmax(s, 1), log_p = at::log_softmax(t, 1);
    figures.emplace_back("agreement", s.argmax(1).eq(t.argmax(1)).to(at::kDouble).mean().item<double>());
    figures.emplace_back("divergence", at::sum(at::exp(log_p) * (log_p - log_q), {1}).mean().item<double>());
  }
  if (student.inputs.defined() && teacher.inputs.defined() && left.size() >= 2)
    figures.emplace_back("feature_similarity",
                         feature_similarity(student.inputs.index_select(0, of_student),
                                            teacher.inputs.index_select(0, of_teacher)));
  return figures;
}

}  // namespace mgd
