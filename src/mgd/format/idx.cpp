#include "mgd/format/idx.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/gzip.h"

namespace mgd {
namespace {

std::string dtype_of(std::uint8_t code, const std::string& source) {
  switch (code) {
    case 0x08:
      return "u1";
    case 0x09:
      return "i1";
    case 0x0B:
      return "i2";
    case 0x0C:
      return "i4";
    case 0x0D:
      return "f4";
    case 0x0E:
      return "f8";
    default:
      fail(ExitCode::bad_data, "{}: IDX element type 0x{:02x}, expected 08, 09, 0b, 0c, 0d or 0e", source,
           code);
  }
}

NumberArray read_plain(std::string_view bytes, const std::string& source) {
  if (bytes.size() < 4 || bytes[0] != 0 || bytes[1] != 0)
    fail(ExitCode::bad_data, "{}: not an IDX file (wrong first bytes)", source);
  NumberArray array;
  array.dtype = dtype_of(static_cast<std::uint8_t>(bytes[2]), source);
  const std::size_t rank = static_cast<std::uint8_t>(bytes[3]);
  if (rank == 0 || bytes.size() < 4 + 4 * rank)
    fail(ExitCode::bad_data, "{}: truncated IDX header: {} dimensions in {} bytes", source, rank,
         bytes.size());
  for (std::size_t d = 0; d < rank; ++d) {
    std::int64_t size = 0;
    for (std::size_t i = 0; i < 4; ++i) size = size << 8 | static_cast<std::uint8_t>(bytes[4 + 4 * d + i]);
    array.shape.push_back(size);
  }
  bytes.remove_prefix(4 + 4 * rank);
  const auto item = static_cast<std::size_t>(array.item_bytes());
  checked_array_bytes(source, array.shape, item, bytes.size());
  array.bytes = std::string(bytes);
  if (item > 1)
    for (auto at = array.bytes.begin(); at != array.bytes.end(); at += array.item_bytes())
      std::reverse(at, at + array.item_bytes());
  return array;
}

}  // namespace

NumberArray read_idx(std::string_view bytes, const std::string& source) {
  return is_gzip(bytes) ? read_plain(gunzip(bytes, source), source) : read_plain(bytes, source);
}

}  // namespace mgd
