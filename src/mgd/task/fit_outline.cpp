#include "mgd/task/fit_outline.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "mgd/task/identify.h"

namespace mgd {

namespace {

constexpr std::string_view kCounter = "num_batches_tracked";

std::string layer_of(const std::string& tensor) {
  return tensor.substr(0, tensor.rfind('.'));
}

// The outline for the classes and channels of the file.
std::optional<Outline> outline_for(const std::string& architecture, Naming naming, const TensorMap& tensors,
                                   double width) {
  const ModelSpec plain{.architecture = architecture};
  const auto first = outline_of(plain, naming);
  if (!first) return std::nullopt;
  const WeightBorders borders = borders_of(*first, tensors);
  // A file may say anything; what no model can have fits none.
  if (borders.classes > 10'000'000 || borders.channels > 65536) return std::nullopt;
  if (borders.classes == plain.num_classes && borders.channels == plain.in_channels && width == 1)
    return first;
  return outline_of({.architecture = architecture,
                     .num_classes = borders.classes,
                     .in_channels = borders.channels,
                     .width = width},
                    naming);
}

// Whether the names are the outline's, but for the classifier's.
struct NamesFit {
  bool fits = false, own_head = false;
};

NamesFit names_fit(const Outline& outline, const TensorMap& tensors) {
  const std::string head = ends_of(outline).head;
  NamesFit fit{.fits = false, .own_head = tensors.contains(head + ".weight")};
  std::size_t known = 0;
  std::set<std::string> names;
  for (const TensorOutline& expected : outline) {
    const bool there = tensors.contains(expected.name);
    if (!there && !expected.name.ends_with(kCounter) && (fit.own_head || layer_of(expected.name) != head))
      return fit;
    known += there ? 1 : 0;
    names.insert(expected.name);
  }
  if (known < tensors.size()) {  // one classifier of another name is allowed in place of the own
    if (fit.own_head) return fit;
    std::set<std::string> strangers;
    for (const auto& [name, tensor] : tensors)
      if (!names.contains(name)) strangers.insert(layer_of(name));
    if (strangers.size() != 1) return fit;
  }
  fit.fits = true;
  return fit;
}

bool shapes_fit(const Outline& outline, const TensorMap& tensors) {
  return std::all_of(outline.begin(), outline.end(), [&](const TensorOutline& expected) {
    const auto it = tensors.find(expected.name);
    return it == tensors.end() || it->second.sizes() == at::IntArrayRef(expected.shape);
  });
}

struct Interval {
  double low = 0, high = 64;
};

// Where the width must lie: each channel count that differs was rounded, to eights at most, and may then have
// been expanded, sixfold at most.
std::optional<Interval> width_interval(const Outline& outline, const TensorMap& tensors) {
  constexpr double kRounding = 8 * 6;
  Interval interval;
  for (const TensorOutline& expected : outline) {
    const auto it = tensors.find(expected.name);
    if (it == tensors.end()) continue;
    if (it->second.dim() != static_cast<std::int64_t>(expected.shape.size())) return std::nullopt;
    if (expected.shape.empty() || it->second.size(0) == expected.shape[0]) continue;
    const auto got = static_cast<double>(it->second.size(0)), plain = static_cast<double>(expected.shape[0]);
    interval.low = std::max(interval.low, (got - kRounding) / plain);
    interval.high = std::min(interval.high, (got + kRounding) / plain);
  }
  if (interval.low > interval.high) return std::nullopt;
  return interval;
}

// Widths as people choose them, the roundest first.
std::vector<double> likely_widths(const Interval& interval) {
  constexpr std::size_t kMost = 200;
  std::vector<double> widths;
  for (const int parts : {1, 2, 4, 8, 20, 16, 32, 100, 1000})
    for (auto i = static_cast<std::int64_t>(std::ceil(interval.low * parts));
         static_cast<double>(i) <= interval.high * parts && widths.size() < kMost; ++i) {
      const double width = static_cast<double>(i) / parts;
      if (width > 0 && width <= 64 && std::find(widths.begin(), widths.end(), width) == widths.end())
        widths.push_back(width);
    }
  return widths;
}

}  // namespace

OutlineEnds ends_of(const Outline& outline) {
  OutlineEnds ends;
  for (const TensorOutline& tensor : outline) {
    if (tensor.kind != TensorKind::weight) continue;
    if (ends.stem.empty()) ends.stem = tensor.name;
    ends.head = layer_of(tensor.name);
  }
  return ends;
}

std::optional<OutlineFit> fit_outline(const std::string& architecture, Naming naming,
                                      const TensorMap& tensors, Widths widths) {
  const auto outline = outline_for(architecture, naming, tensors, 1);
  if (!outline) return std::nullopt;
  const NamesFit names = names_fit(*outline, tensors);
  if (!names.fits) return std::nullopt;
  OutlineFit fit{.architecture = architecture, .naming = naming, .own_head = names.own_head};
  if (shapes_fit(*outline, tensors)) return fit;
  if (widths == Widths::one) return std::nullopt;
  const auto interval = width_interval(*outline, tensors);
  if (!interval) return std::nullopt;
  for (const double width : likely_widths(*interval)) {
    const auto scaled = outline_for(architecture, naming, tensors, width);
    fit.width = width;
    if (names_fit(*scaled, tensors).fits && shapes_fit(*scaled, tensors)) return fit;
  }
  return std::nullopt;
}

std::optional<OutlineGap> outline_gap(const std::string& architecture, Naming naming,
                                      const TensorMap& tensors) {
  const auto outline = outline_for(architecture, naming, tensors, 1);
  if (!outline) return std::nullopt;
  OutlineGap gap{.architecture = architecture};
  std::set<std::string> names;
  for (const TensorOutline& expected : *outline) {
    names.insert(expected.name);
    const auto it = tensors.find(expected.name);
    if (it == tensors.end()) {
      if (!expected.name.ends_with(kCounter)) gap.missing.push_back(expected.name);
      continue;
    }
    ++gap.shared;
    if (it->second.sizes() != at::IntArrayRef(expected.shape))
      gap.misshaped.push_back(
          fmt::format("{} is ({}), expected ({})", expected.name,
                      fmt::join(it->second.sizes().begin(), it->second.sizes().end(), ", "),
                      fmt::join(expected.shape, ", ")));
  }
  for (const auto& [name, tensor] : tensors)
    if (!names.contains(name)) gap.unexpected.push_back(name);
  gap.expected = outline->size();
  gap.likeness =
      static_cast<double>(gap.shared) / static_cast<double>(gap.expected + tensors.size() - gap.shared);
  return gap;
}

}  // namespace mgd
