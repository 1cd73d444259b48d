#include "mgd/eval/text_metrics.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

namespace mgd {

namespace {

std::vector<double> ranks(const std::vector<double>& values) {
  std::vector<std::size_t> order(values.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::sort(order.begin(), order.end(), [&](std::size_t i, std::size_t j) { return values[i] < values[j]; });
  std::vector<double> result(values.size());
  for (std::size_t i = 0; i < order.size();) {
    std::size_t end = i;
    while (end < order.size() && values[order[end]] == values[order[i]]) ++end;
    for (std::size_t k = i; k < end; ++k) result[order[k]] = 0.5 * static_cast<double>(i + end - 1);
    i = end;
  }
  return result;
}

}  // namespace

double pearson(const std::vector<double>& a, const std::vector<double>& b) {
  const auto n = static_cast<double>(a.size());
  if (a.size() < 2) return std::numeric_limits<double>::quiet_NaN();
  const double mean_a = std::accumulate(a.begin(), a.end(), 0.0) / n,
               mean_b = std::accumulate(b.begin(), b.end(), 0.0) / n;
  double ab = 0, aa = 0, bb = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    ab += (a[i] - mean_a) * (b[i] - mean_b);
    aa += (a[i] - mean_a) * (a[i] - mean_a);
    bb += (b[i] - mean_b) * (b[i] - mean_b);
  }
  return ab / std::sqrt(aa * bb);
}

double spearman(const std::vector<double>& a, const std::vector<double>& b) {
  return pearson(ranks(a), ranks(b));
}

double macro_f1(const std::vector<std::vector<std::int64_t>>& confusion) {
  double sum = 0;
  std::int64_t there = 0;
  for (std::size_t k = 0; k < confusion.size(); ++k) {
    std::int64_t support = 0, answers = 0;
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      support += confusion[k][j];
      answers += confusion[j][k];
    }
    if (support + answers == 0) continue;
    sum += 2 * static_cast<double>(confusion[k][k]) / static_cast<double>(support + answers);
    ++there;
  }
  return there > 0 ? sum / static_cast<double>(there) : 0;
}

double matthews(const std::vector<std::vector<std::int64_t>>& confusion) {
  double right = 0, all = 0, rows = 0, columns = 0, cross = 0;
  for (std::size_t k = 0; k < confusion.size(); ++k) {
    double row = 0, column = 0;
    for (std::size_t j = 0; j < confusion.size(); ++j) {
      row += static_cast<double>(confusion[k][j]);
      column += static_cast<double>(confusion[j][k]);
    }
    right += static_cast<double>(confusion[k][k]);
    all += row;
    rows += row * row;
    columns += column * column;
    cross += row * column;
  }
  const double spread = std::sqrt((all * all - rows) * (all * all - columns));
  return spread > 0 ? (right * all - cross) / spread : 0;
}

}  // namespace mgd
