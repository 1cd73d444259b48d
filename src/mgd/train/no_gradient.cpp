#include "mgd/train/no_gradient.h"

#include <ATen/ops/any.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Exactly: a norm of very small numbers would be zero too. The first tensor tells, of a student that learns.
bool has_gradient(const Model& student) {
  for (const NamedTensor& entry : student.parameters())
    if (const at::Tensor& gradient = entry.tensor.grad();
        entry.tensor.requires_grad() && gradient.defined() && at::any(gradient).item<bool>())
      return true;
  return false;
}

}  // namespace

void refuse_no_weight(const Run& run) {
  const bool none = std::all_of(run.losses.begin(), run.losses.end(),
                                [](const ActiveLoss& active) { return active.loss->weight() == 0; });
  if (!none || run.losses.empty()) return;
  const Node& entry = run.config.losses.front();
  const Node* const weight = entry.find("weight");
  fail(ExitCode::usage,
       "{}: losses: every loss has the weight 0, so nothing would be learned; give one a weight",
       (weight != nullptr ? weight->origin : entry.origin).text());
}

std::vector<std::string> NoGradient::add(const Run& run, bool last) {
  if (learns || !told.empty()) return {};
  learns = has_gradient(*run.student);
  if (learns) return {};
  ++steps;
  if (steps < kStepsToTell && !last) return {};
  std::vector<std::string> labels;
  for (const ActiveLoss& active : run.losses) labels.push_back(active.loss->label());
  told = fmt::format(
      "losses ({}): the gradient is exactly zero at every parameter of the student in the first {} step{}: "
      "nothing is learned; look at weights, taps and masks (a mask_ratio of 1 hides everything)",
      fmt::join(labels, ", "), steps, steps == 1 ? "" : "s");
  return {told};
}

}  // namespace mgd
