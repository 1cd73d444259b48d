#include "mgd/format/csv.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/format/gzip.h"

namespace mgd {
namespace {

std::string_view trimmed(std::string_view cell) {
  constexpr std::string_view kBlank = " \t\r";
  const auto first = cell.find_first_not_of(kBlank);
  if (first == cell.npos) return {};
  cell = cell.substr(first, cell.find_last_not_of(kBlank) - first + 1);
  if (cell.size() >= 2 && cell.front() == '"' && cell.back() == '"') cell = cell.substr(1, cell.size() - 2);
  return cell;
}

std::optional<double> number_of(std::string_view cell) {
  if (cell.starts_with('+')) cell.remove_prefix(1);
  double value = 0;
  const auto [end, error] = std::from_chars(cell.data(), cell.data() + cell.size(), value);
  if (error != std::errc() || end != cell.data() + cell.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

std::string shown_cell(std::string_view cell) {
  std::string out;
  for (const char c : cell.substr(0, 40)) out += c >= 32 && c < 127 ? c : '?';
  return out;
}

void split(std::string_view line, std::vector<std::string_view>& cells) {
  cells.clear();
  for (;;) {
    const auto comma = line.find(',');
    cells.push_back(trimmed(line.substr(0, comma)));
    if (comma == line.npos) return;
    line.remove_prefix(comma + 1);
  }
}

bool all_numbers(const std::vector<std::string_view>& cells) {
  for (const auto cell : cells)
    if (!number_of(cell)) return false;
  return true;
}

// "0,1,2,...": the names that pandas gives to columns without any. Pixels do not count up from nothing.
bool counts_up(const std::vector<std::string_view>& cells) {
  constexpr std::size_t kFewest = 5;
  for (std::size_t i = 0; i < cells.size(); ++i)
    if (cells[i] != std::to_string(i)) return false;
  return cells.size() >= kFewest;
}

NumberTable read_plain(std::string_view text, const std::string& source) {
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  NumberTable table;
  std::vector<std::string_view> cells;
  for (std::int64_t line = 1; !text.empty(); ++line) {
    const auto end = text.find('\n');
    const std::string_view row = text.substr(0, end);
    text.remove_prefix(end == text.npos ? text.size() : end + 1);
    if (trimmed(row).empty()) continue;
    split(row, cells);
    if (table.columns == 0) {
      table.columns = static_cast<std::int64_t>(cells.size());
      if (!all_numbers(cells) || counts_up(cells)) {
        table.header.assign(cells.begin(), cells.end());
        continue;
      }
    }
    if (static_cast<std::int64_t>(cells.size()) != table.columns)
      fail(ExitCode::bad_data, "{}:{}: {} columns, expected {}", source, line, cells.size(), table.columns);
    for (std::size_t c = 0; c < cells.size(); ++c) {
      const auto value = number_of(cells[c]);
      if (!value)
        fail(ExitCode::bad_data, "{}:{}: column {}: got '{}', expected a finite number", source, line, c + 1,
             shown_cell(cells[c]));
      table.values.push_back(*value);
    }
    ++table.rows;
  }
  if (table.rows == 0) fail(ExitCode::bad_data, "{}: no row of numbers", source);
  return table;
}

}  // namespace

NumberTable read_csv(std::string_view bytes, const std::string& source) {
  return is_gzip(bytes) ? read_plain(gunzip(bytes, source), source) : read_plain(bytes, source);
}

}  // namespace mgd
