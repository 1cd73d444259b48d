// Numbers as a reader wants them: few digits, a unit, per cent.
#pragma once

#include <cstdint>
#include <string>

namespace mgd {

std::string count_text(std::int64_t count);       // "853", "78.0 k", "12.5 M", "4.10 G"
std::string exact_text(std::int64_t count);       // "12,500,000"
std::string bytes_text(std::int64_t bytes);       // "312 B", "3.41 MB" (powers of 1000, as on a disk's label)
std::string ms_text(double ms);                   // "0.84 ms", "1.20 s"
std::string percent_text(double fraction);        // 0.9134 -> "91.34 %"; NaN -> "NaN"
std::string whole_percent_text(double fraction);  // 0.9134 -> "91 %"
std::string value_text(double value);   // "0.4312", "1.2e-5", "NaN", "inf": at most 4 significant digits
std::string times_text(double factor);  // 10.93 -> "11", 1.18 -> "1.2": for "11x smaller"

// A label of an axis whose ticks are `step` apart and at most `largest` from zero: all labels of an axis
// share one form.
std::string tick_text(double value, double step, double largest);

// 2 decimals are enough for coordinates in an SVG; never an exponent.
std::string coordinate_text(double value);

}  // namespace mgd
