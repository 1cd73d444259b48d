#include "mgd/train/term_gradients.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/_foreach_norm.h>
#include <ATen/ops/stack.h>
#include <torch/csrc/autograd/autograd.h>

#include <algorithm>
#include <cmath>

namespace mgd {

namespace {

constexpr double kNotReached = -1;

std::vector<StepTerm> joined(const std::vector<StepTerm>& terms) {
  std::vector<StepTerm> all;
  for (const StepTerm& term : terms) {
    const auto same = std::find_if(all.begin(), all.end(), [&](auto& t) { return t.label == term.label; });
    if (same == all.end())
      all.push_back(term);
    else
      same->sum = same->sum + term.sum;
  }
  return all;
}

// Of d sum, at each parameter. The gradient that enters is 1: the vocabulary's cross-entropy scales what it
// has kept in place (ops/masked_cross_entropy.cpp), and with 1 that changes no bit of what comes after.
std::vector<double> norms_of(const at::Tensor& sum, const std::vector<at::Tensor>& parameters) {
  std::vector<double> norms(parameters.size(), kNotReached);
  if (!sum.requires_grad()) return norms;
  const auto gradients = torch::autograd::grad({sum}, parameters, {}, /*retain_graph=*/true,
                                               /*create_graph=*/false, /*allow_unused=*/true);
  const at::NoGradGuard no_grad;
  std::vector<at::Tensor> reached;
  for (const at::Tensor& gradient : gradients)
    if (gradient.defined()) reached.push_back(gradient);
  if (reached.empty()) return norms;
  const at::Tensor measured = at::stack(at::_foreach_norm(reached)).to(at::kCPU, at::kDouble).contiguous();
  const double* next = measured.const_data_ptr<double>();
  for (std::size_t p = 0; p < gradients.size(); ++p)
    if (gradients[p].defined()) norms[p] = *next++;
  return norms;
}

bool reaches_any(const std::vector<double>& norms) {
  return std::any_of(norms.begin(), norms.end(), [](double norm) { return norm != kNotReached; });
}

// [parameter]: whether every term that reaches any reaches this one; all where there is none of these.
std::vector<bool> meeting_places(const std::vector<std::vector<double>>& norms, std::size_t num_parameters) {
  std::vector<bool> meet(num_parameters, true);
  for (const auto& of_term : norms)
    for (std::size_t p = 0; p < num_parameters && reaches_any(of_term); ++p)
      if (of_term[p] == kNotReached) meet[p] = false;
  if (std::none_of(meet.begin(), meet.end(), [](bool m) { return m; })) meet.assign(num_parameters, true);
  return meet;
}

}  // namespace

std::vector<TermGradient> term_gradients(const std::vector<StepTerm>& given,
                                         const std::vector<NamedTensor>& all_parameters) {
  std::vector<at::Tensor> parameters;
  for (const NamedTensor& entry : all_parameters)
    if (entry.tensor.requires_grad()) parameters.push_back(entry.tensor);
  const std::vector<StepTerm> terms = joined(given);
  std::vector<std::vector<double>> norms;
  for (const StepTerm& term : terms) norms.push_back(norms_of(term.sum, parameters));
  const std::vector<bool> meet = meeting_places(norms, parameters.size());
  std::vector<TermGradient> gradients;
  for (std::size_t t = 0; t < terms.size(); ++t) {
    double square = 0;
    for (std::size_t p = 0; p < parameters.size(); ++p)
      if (meet[p] && norms[t][p] != kNotReached) square += norms[t][p] * norms[t][p];
    const double norm = std::abs(terms[t].weight) / terms[t].count * std::sqrt(square);
    if (!std::isfinite(norm)) return {};
    gradients.push_back(
        {.label = terms[t].label, .weight = terms[t].weight, .reaches = reaches_any(norms[t]), .norm = norm});
  }
  return gradients;
}

}  // namespace mgd
