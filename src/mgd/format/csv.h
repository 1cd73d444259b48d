// Tables of numbers: .csv, optionally gzipped.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

struct NumberTable {
  std::vector<std::string> header;  // empty when the first row holds numbers
  std::int64_t rows = 0, columns = 0;
  std::vector<double> values;  // (rows, columns)
  double at(std::int64_t row, std::int64_t column) const {
    return values[static_cast<std::size_t>(row * columns + column)];
  }
};

// Comma-separated finite numbers; the first row is a header when any of its cells is no number, or when
// they count up from 0 (as pandas numbers columns). Blank lines
// are skipped, a byte-order mark and \r\n are accepted, quoted cells may hold no line break. gzip is
// recognised by its magic bytes. Throws Error(bad_data) "FILE:LINE: ..." for a cell that is no number, a row
// of another length, or no row.
NumberTable read_csv(std::string_view bytes, const std::string& source);

}  // namespace mgd
