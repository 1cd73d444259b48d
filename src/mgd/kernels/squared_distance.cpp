#include "mgd/kernels/squared_distance.h"

#include <algorithm>

#include "mgd/kernels/simd.h"

namespace mgd {

double subtract_rows(Rows<float> made, Rows<const float> target, const float* bias, std::int64_t rows,
                     std::int64_t width, float* column_sums) {
  std::fill_n(column_sums, width, 0.0F);
  double total = 0;
  for (std::int64_t i = 0; i < rows; ++i) {
    float* to = made.row(i);
    const float* from = target.row(i);
    Vec squares{};
    std::int64_t c = 0;
    for (; c + kLanes <= width; c += kLanes) {
      const Vec error = load_anywhere(to + c) + load_anywhere(bias + c) - load_anywhere(from + c);
      store_anywhere(to + c, error);
      store_anywhere(column_sums + c, load_anywhere(column_sums + c) + error);
      squares += error * error;
    }
    for (; c < width; ++c) {
      to[c] += bias[c] - from[c];
      column_sums[c] += to[c];
      squares[0] += to[c] * to[c];
    }
    total += static_cast<double>(sum_of(squares));
  }
  return total;
}

}  // namespace mgd
