#include "mgd/format/npy_write.h"

#include <fmt/ranges.h>

namespace mgd {

std::string npy_header(const std::string& dtype, const std::vector<std::int64_t>& shape) {
  const std::string order = dtype.ends_with('1') ? "|" : "<";
  std::string text = fmt::format("{{'descr': '{}{}', 'fortran_order': False, 'shape': ({}{})}}", order, dtype,
                                 fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  constexpr std::size_t kFixed = 10, kAlign = 64;
  text.append((kAlign - (kFixed + text.size() + 1) % kAlign) % kAlign, ' ');
  text += '\n';
  std::string bytes("\x93NUMPY\x01\x00", 8);
  bytes += static_cast<char>(text.size() & 0xff);
  bytes += static_cast<char>(text.size() >> 8);
  return bytes + text;
}

}  // namespace mgd
