#include "mgd/train/term_shares.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <iterator>

namespace mgd {

namespace {

constexpr std::int64_t kEarlySteps[] = {10, 40};
constexpr std::int64_t kStepsApart = 400;  // and that many times the number of terms
constexpr double kTenth = 0.1;

TermShare& share_of(std::vector<TermShare>& terms, const std::string& label) {
  const auto found = std::find_if(terms.begin(), terms.end(), [&](auto& t) { return t.label == label; });
  if (found != terms.end()) return *found;
  return terms.emplace_back(TermShare{.label = label});
}

void take_in(TermShare& term, std::int64_t step, double share) {
  if (term.measures++ == 0) {
    term.first_step = step;
    term.first = share;
  }
  term.last_step = step;
  term.last = share;
  term.most = std::max(term.most, share);
}

std::string verdict_on(const TermShare& term, double weight) {
  if (!term.reaches)
    return fmt::format(
        "losses.{}: its gradient reaches no parameter of the student that trains: it changes nothing of the "
        "student",
        term.label);
  if (term.measures < TermShares::kMeasuresToTell || term.most >= TermShares::kNextToNothing) return "";
  if (term.most == 0)
    return fmt::format(
        "losses.{}: its gradient is exactly zero in all {} measures from step {} to {}: it changes nothing "
        "of "
        "the student",
        term.label, term.measures, term.first_step, term.last_step);
  return fmt::format(
      "losses.{}: it has {:.2g} % of the gradient at step {} and does next to nothing; with weight {:.2g} "
      "instead of {:.2g} it would have a tenth",
      term.label, 100 * term.last, term.last_step, term.weight_for_tenth, weight);
}

}  // namespace

bool TermShares::due(std::int64_t step, std::size_t num_terms) {
  if (num_terms < 2 || step < 1) return false;
  return std::find(std::begin(kEarlySteps), std::end(kEarlySteps), step) != std::end(kEarlySteps) ||
         step % (kStepsApart * static_cast<std::int64_t>(num_terms)) == 0;
}

std::vector<std::string> TermShares::add(std::int64_t step, const std::vector<TermGradient>& gradients) {
  if (gradients.size() < 2) return {};
  double total = 0;
  for (const TermGradient& gradient : gradients) total += gradient.norm;
  std::vector<std::string> lines;
  for (const TermGradient& gradient : gradients) {
    TermShare& term = share_of(terms, gradient.label);
    take_in(term, step, total > 0 ? gradient.norm / total : 0);
    term.reaches = gradient.reaches;
    // w' g = (w' g + others) / 10, g the norm at weight 1.
    const double others = total - gradient.norm, at_one = gradient.norm / std::abs(gradient.weight);
    term.weight_for_tenth = gradient.norm > 0 ? kTenth / (1 - kTenth) * others / at_one : 0;
    if (!term.told.empty()) continue;
    term.told = verdict_on(term, gradient.weight);
    if (!term.told.empty()) lines.push_back(term.told);
  }
  return lines;
}

MetricRow TermShares::row(std::int64_t step) const {
  MetricRow row;
  for (const TermShare& term : terms)
    if (term.last_step == step) row.emplace_back("grad_share/" + term.label, term.last);
  return row;
}

}  // namespace mgd
