#include "mgd/train/propose_taps.h"

#include <algorithm>
#include <cmath>

namespace mgd {

namespace {

constexpr std::int64_t kLeastSide = 4;

// A map (C, Y, X) that weights made: not the picture, and nothing that was only scaled or pooled.
bool is_map(const LayerSummary& node) {
  return node.parameters > 0 && node.shape.size() == 3 &&
         std::min(node.shape[1], node.shape[2]) >= kLeastSide;
}

double regeneration_macs(const LayerSummary& node) {
  const auto channels = static_cast<double>(node.shape[0]);
  constexpr double kConvolutions = 2, kTaps = 9;
  return kConvolutions * kTaps * channels * channels * static_cast<double>(node.shape[1] * node.shape[2]);
}

// 0 for equal sizes.
double distance(const LayerSummary& a, const LayerSummary& b) {
  const auto ratio = [&](std::size_t d) {
    return std::abs(std::log(static_cast<double>(a.shape[d]) / static_cast<double>(b.shape[d])));
  };
  return ratio(1) + ratio(2);
}

}  // namespace

std::optional<ProposedTaps> propose_taps(const ModelSummary& student, const ModelSummary& teacher) {
  const LayerSummary* goal = nullptr;
  for (const LayerSummary& node : teacher.nodes)
    if (is_map(node) && regeneration_macs(node) <= static_cast<double>(student.macs)) goal = &node;
  if (goal == nullptr) return std::nullopt;
  const LayerSummary* source = nullptr;
  for (const LayerSummary& node : student.nodes)
    if (is_map(node) && (source == nullptr || distance(node, *goal) <= distance(*source, *goal)))
      source = &node;
  if (source == nullptr) return std::nullopt;
  return ProposedTaps{
      .student = source->name, .teacher = goal->name, .same_size = distance(*source, *goal) == 0};
}

}  // namespace mgd
