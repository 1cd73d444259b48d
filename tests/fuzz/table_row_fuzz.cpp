// Rows of tables and JSON lines: any bytes give cells or Error(bad_data).
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "mgd/core/error.h"
#include "mgd/format/table_row.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  static_cast<void>(mgd::split_tsv(text));
  mgd::CsvRow row;
  if (row.add_line(text)) static_cast<void>(row.take());
  try {
    static_cast<void>(mgd::json_fields(text, {"text", "label"}));
  } catch (const mgd::Error&) {
  }
  return 0;
}
