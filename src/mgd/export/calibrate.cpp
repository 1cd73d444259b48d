#include "mgd/export/calibrate.h"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/histc.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/export/interpret.h"

namespace mgd {

namespace {

constexpr std::int64_t kBins = 2048;
constexpr double kCutShare = 1e-4;

// The graph's input values, whatever its one input is called.
void run_all(const Graph& graph, const std::vector<at::Tensor>& batches, const SeeValue& see) {
  for (const at::Tensor& batch : batches) run_graph(graph, {{graph.inputs.at(0).name, batch}}, see);
}

double middle(std::size_t bin, Range seen) {
  return seen.low + (static_cast<double>(bin) + 0.5) * (seen.high - seen.low) / kBins;
}

Range with_zero(double low, double high) {
  return {std::min(low, 0.0), std::max(high, 0.0)};
}

Range percentile_range(const std::vector<double>& counts, Range seen) {
  double total = 0;
  for (const double count : counts) total += count;
  const auto cut = [&](bool from_below) {
    double left = kCutShare * total;
    for (std::size_t i = 0; i < counts.size(); ++i) {
      const std::size_t bin = from_below ? i : counts.size() - 1 - i;
      left -= counts[bin];
      if (left < 0) return middle(bin, seen);
    }
    return 0.0;
  };
  return with_zero(cut(true), cut(false));
}

// Mean squared error of rounding to 256 levels within `range`, of the numbers in the histogram.
double error_of(const std::vector<double>& counts, Range seen, Range range) {
  const double step = (range.high - range.low) / 255;
  double error = 0;
  for (std::size_t bin = 0; bin < counts.size(); ++bin) {
    if (counts[bin] == 0) continue;
    const double value = middle(bin, seen);
    const double inside = std::clamp(value, range.low, range.high);
    const double rounded = range.low + std::round((inside - range.low) / step) * step;
    // Within a bin numbers are spread, so a step that is finer than the bins still errs by step^2 / 12.
    const double rounding = inside == value ? step * step / 12 : (value - rounded) * (value - rounded);
    error += counts[bin] * rounding;
  }
  return error;
}

Range least_error(const std::vector<double>& counts, Range seen) {
  Range best = with_zero(seen.low, seen.high);
  double least = std::numeric_limits<double>::infinity();
  for (int percent = 100; percent >= 20; percent -= 1) {
    const Range range = with_zero(seen.low * percent / 100, seen.high * percent / 100);
    if (range.high <= range.low) continue;
    const double error = error_of(counts, seen, range);
    if (error < least) {
      least = error;
      best = range;
    }
  }
  return best;
}

}  // namespace

Range chosen_range(const std::vector<double>& counts, Range seen, RangeRule rule) {
  switch (rule) {
    case RangeRule::min_max:
      return with_zero(seen.low, seen.high);
    case RangeRule::percentile:
      return percentile_range(counts, seen);
    case RangeRule::squared_error:
      return least_error(counts, seen);
  }
  MGD_ASSERT(false);
  return {};
}

Ranges calibrate(const Graph& graph, const std::vector<at::Tensor>& batches,
                 const std::set<std::string>& values, RangeRule rule) {
  MGD_ASSERT(!batches.empty());
  Ranges seen;
  run_all(graph, batches, [&](const std::string& name, const at::Tensor& value) {
    if (!values.contains(name)) return;
    const auto [low, high] = value.aminmax();
    auto [entry, is_new] = seen.try_emplace(name, Range{low.item<double>(), high.item<double>()});
    entry->second.low = std::min(entry->second.low, low.item<double>());
    entry->second.high = std::max(entry->second.high, high.item<double>());
  });
  for (const auto& [name, range] : seen)
    if (!std::isfinite(range.low) || !std::isfinite(range.high))
      fail(ExitCode::bad_data, "export: '{}' is not finite on the calibration data", name);
  if (rule == RangeRule::min_max) {
    for (auto& [name, range] : seen) range = with_zero(range.low, range.high);
    return seen;
  }
  std::map<std::string, at::Tensor> counts;
  run_all(graph, batches, [&](const std::string& name, const at::Tensor& value) {
    const auto range = seen.find(name);
    if (range == seen.end() || range->second.high <= range->second.low) return;
    const at::Tensor now = value.histc(kBins, range->second.low, range->second.high).to(at::kDouble);
    auto [entry, is_new] = counts.try_emplace(name, now);
    if (!is_new) entry->second.add_(now);
  });
  Ranges chosen;
  for (const auto& [name, range] : seen) {
    if (!counts.contains(name)) {
      chosen[name] = with_zero(range.low, range.high);
      continue;
    }
    const auto* data = counts.at(name).const_data_ptr<double>();
    chosen[name] = chosen_range({data, data + kBins}, range, rule);
  }
  return chosen;
}

}  // namespace mgd
