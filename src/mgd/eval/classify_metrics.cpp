#include <ATen/core/Tensor.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>

#include "mgd/core/error.h"
#include "mgd/eval/classify.h"

namespace mgd {
namespace {

constexpr int kBins = 15;

// NaN counts as the greatest value, as in torch.argmax: a broken row is then never an accidental hit of its
// label.
bool greater(double a, double b) {
  return a > b || (std::isnan(a) && !std::isnan(b));
}

// How many classes come before `label` in the order of falling logits; equal logits in the order of their
// index, so that rank 0 is exactly "argmax says so".
std::int64_t rank_of(const double* row, std::int64_t num_classes, std::int64_t label) {
  std::int64_t rank = 0;
  for (std::int64_t k = 0; k < num_classes; ++k) {
    const bool tie = !greater(row[k], row[label]) && !greater(row[label], row[k]);
    if (greater(row[k], row[label]) || (tie && k < label)) ++rank;
  }
  return rank;
}

struct Softmax {
  double confidence;  // probability of the best class
  double log_sum_exp;
};

Softmax softmax_of(const double* row, std::int64_t num_classes, double best) {
  double sum = 0;
  for (std::int64_t k = 0; k < num_classes; ++k) sum += std::exp(row[k] - best);
  return {1.0 / sum, best + std::log(sum)};
}

// Expected calibration error (Guo et al. 2017, eq. 5): bins (m/15, (m+1)/15] of the confidence, weighted by
// their size.
class Calibration {
 public:
  void add(double confidence, bool hit) {
    if (std::isnan(confidence)) {
      broken_ = true;
      return;
    }
    const double bin = std::ceil(confidence * kBins) - 1;
    auto& b = bins_[static_cast<std::size_t>(std::clamp(bin, 0.0, kBins - 1.0))];
    b.confidence += confidence;
    b.hits += hit ? 1 : 0;
  }

  double error(std::int64_t samples) const {
    if (broken_) return std::numeric_limits<double>::quiet_NaN();
    double sum = 0;
    for (const auto& b : bins_) sum += std::abs(b.hits - b.confidence);
    return sum / static_cast<double>(samples);
  }

 private:
  struct Bin {
    double confidence = 0, hits = 0;
  };
  std::array<Bin, kBins> bins_{};
  bool broken_ = false;
};

double ratio(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::vector<ClassMetrics> per_class(const std::vector<std::vector<std::int64_t>>& confusion) {
  std::vector<ClassMetrics> all(confusion.size());
  for (std::size_t k = 0; k < confusion.size(); ++k) {
    std::int64_t predicted = 0;
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      all[k].support += confusion[k][j];
      predicted += confusion[j][k];
    }
    all[k].precision = ratio(confusion[k][k], predicted);
    all[k].recall = ratio(confusion[k][k], all[k].support);
    all[k].f1 = ratio(2 * confusion[k][k], predicted + all[k].support);
  }
  return all;
}

void check(const at::Tensor& logits, const std::vector<std::int64_t>& labels) {
  const auto n = static_cast<std::int64_t>(labels.size());
  if (logits.dim() != 2 || logits.size(0) != n) {
    fail(ExitCode::usage,
         "metrics: logits: got {} rows in {} dimensions, expected ({}, classes): one row a label",
         logits.dim() == 0 ? 0 : logits.size(0), logits.dim(), n);
  }
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t label = labels[static_cast<std::size_t>(i)];
    if (label < 0 || label >= logits.size(1)) {
      fail(ExitCode::bad_data,
           "metrics: label of sample {}: got {}, expected 0 ... {}; the model has {} classes", i, label,
           logits.size(1) - 1, logits.size(1));
    }
  }
}

}  // namespace

ClassifyMetrics classify_metrics(const at::Tensor& logits, const std::vector<std::int64_t>& labels) {
  check(logits, labels);
  const at::Tensor rows = logits.to(at::kCPU, at::kDouble).contiguous();
  const std::int64_t n = rows.size(0), num_classes = rows.size(1);
  const auto width = static_cast<std::size_t>(num_classes);
  ClassifyMetrics metrics;
  metrics.samples = n;
  metrics.confusion.assign(width, std::vector<std::int64_t>(width, 0));
  Calibration calibration;
  double loss = 0;
  constexpr std::int64_t kTop = 5;
  std::int64_t hits = 0, hits5 = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double* row = rows.const_data_ptr<double>() + i * num_classes;
    const std::int64_t label = labels[static_cast<std::size_t>(i)];
    const double* best =
        std::max_element(row, row + num_classes, [](double a, double b) { return greater(b, a); });
    const std::int64_t rank = rank_of(row, num_classes, label);
    const Softmax softmax = softmax_of(row, num_classes, *best);
    loss += softmax.log_sum_exp - row[label];
    calibration.add(softmax.confidence, rank == 0);
    hits += rank == 0 ? 1 : 0;
    hits5 += rank < kTop ? 1 : 0;
    ++metrics.confusion[static_cast<std::size_t>(label)][static_cast<std::size_t>(best - row)];
  }
  metrics.per_class = per_class(metrics.confusion);
  if (num_classes > kTop) metrics.top5 = 0;
  if (n == 0) return metrics;
  metrics.accuracy = ratio(hits, n);
  if (metrics.top5) metrics.top5 = ratio(hits5, n);
  metrics.loss = loss / static_cast<double>(n);
  metrics.calibration_error = calibration.error(n);
  return metrics;
}

}  // namespace mgd
