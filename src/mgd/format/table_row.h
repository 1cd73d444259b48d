// One row of a table, or one JSON object, from its text.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// Between tabs; quotes are characters like any other.
std::vector<std::string> split_tsv(std::string_view line);

// RFC 4180, line by line: a quoted cell may hold commas, doubled quotes and line breaks.
class CsvRow {
 public:
  // False: a quoted cell goes on in the next line.
  bool add_line(std::string_view line);
  std::vector<std::string> take();  // the cells; the next line begins a new row
  std::size_t bytes() const { return bytes_; }
  bool opened_again() const { return opened_; }  // the quote that is open was opened by the last line

 private:
  std::vector<std::string> cells_ = {""};
  bool quoted_ = false, opened_ = false;
  std::size_t bytes_ = 0;
};

// The named fields of one JSON object; nothing where it lacks one. Numbers and booleans come as they are
// written, null as nothing. Throws Error(bad_data) for text that is no JSON object and for a field that is a
// list or an object. Memory is bounded by the text, whatever it nests.
std::vector<std::optional<std::string>> json_fields(std::string_view text,
                                                    const std::vector<std::string>& names);

}  // namespace mgd
