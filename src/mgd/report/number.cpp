#include "mgd/report/number.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace mgd {
namespace {

std::string drop_trailing_zeros(std::string text) {
  if (text.find('.') == std::string::npos) return text;
  text.erase(text.find_last_not_of('0') + 1);
  if (text.back() == '.') text.pop_back();
  return text;
}

std::string scientific(double value) {  // "1.2e-5" instead of "1.20e-05"
  const std::string text = fmt::format("{:.2e}", value);
  const std::size_t e = text.find('e');
  return fmt::format("{}e{}", drop_trailing_zeros(text.substr(0, e)), std::stoi(text.substr(e + 1)));
}

std::string not_finite(double value) {
  return std::isnan(value) ? "NaN" : value > 0 ? "inf" : "-inf";
}

std::string three_digits(double value, const char* unit) {
  const int decimals = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;
  return fmt::format("{:.{}f} {}", value, decimals, unit);
}

std::string scaled(std::int64_t count, const char* const (&units)[5]) {
  double value = static_cast<double>(count);
  std::size_t unit = 0;
  while (std::abs(value) >= 999.5 && unit + 1 < std::size(units)) {
    value /= 1000;
    ++unit;
  }
  return unit == 0 ? fmt::format("{}{}{}", count, *units[0] == '\0' ? "" : " ", units[0])
                   : three_digits(value, units[unit]);
}

}  // namespace

std::string count_text(std::int64_t count) {
  return scaled(count, {"", "k", "M", "G", "T"});
}

std::string bytes_text(std::int64_t bytes) {
  return scaled(bytes, {"B", "kB", "MB", "GB", "TB"});
}

std::string exact_text(std::int64_t count) {
  const std::string digits = fmt::format("{}", count);
  const std::size_t first = digits.front() == '-' ? 1 : 0;
  std::string text;
  for (std::size_t i = 0; i < digits.size(); ++i) {
    if (i > first && (digits.size() - i) % 3 == 0) text += ',';
    text += digits[i];
  }
  return text;
}

std::string ms_text(double ms) {
  if (!std::isfinite(ms)) return not_finite(ms);
  return ms >= 999.5 ? three_digits(ms / 1000, "s") : three_digits(ms, "ms");
}

std::string percent_text(double fraction) {
  if (!std::isfinite(fraction)) return not_finite(fraction);
  return fmt::format("{:.2f} %", fraction * 100);
}

std::string whole_percent_text(double fraction) {
  if (!std::isfinite(fraction)) return not_finite(fraction);
  return fmt::format("{:.0f} %", fraction * 100);
}

std::string value_text(double value) {
  if (!std::isfinite(value)) return not_finite(value);
  const double size = std::abs(value);
  if (size != 0 && (size < 1e-3 || size >= 1e6)) return scientific(value);
  const int digits_before = size < 1 ? 1 : static_cast<int>(std::floor(std::log10(size))) + 1;
  return drop_trailing_zeros(
      fmt::format("{:.{}f}", value, std::clamp(4 - digits_before + (size < 1 ? 1 : 0), 0, 4)));
}

std::string times_text(double factor) {
  if (!std::isfinite(factor)) return not_finite(factor);
  return factor < 9.95 ? drop_trailing_zeros(fmt::format("{:.1f}", factor)) : fmt::format("{:.0f}", factor);
}

std::string tick_text(double value, double step, double largest) {
  if (value == 0) return "0";
  if (!std::isfinite(value)) return not_finite(value);
  if (largest >= 1e7 || largest < 1e-2) return scientific(value);
  if (largest >= 1e6) return drop_trailing_zeros(fmt::format("{:.2f}", value / 1e6)) + "M";
  if (largest >= 1e4) return drop_trailing_zeros(fmt::format("{:.1f}", value / 1e3)) + "k";
  const int decimals = step >= 1 ? 0 : static_cast<int>(std::ceil(-std::log10(step) - 1e-9));
  return fmt::format("{:.{}f}", value, std::clamp(decimals, 0, 6));
}

std::string coordinate_text(double value) {
  return drop_trailing_zeros(fmt::format("{:.2f}", value));
}

}  // namespace mgd
