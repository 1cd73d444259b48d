#include "mgd/format/table_row.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

std::vector<std::string> split_tsv(std::string_view line) {
  std::vector<std::string> cells;
  for (std::size_t begin = 0; begin <= line.size();) {
    const std::size_t end = std::min(line.find('\t', begin), line.size());
    cells.emplace_back(line.substr(begin, end - begin));
    begin = end + 1;
  }
  return cells;
}

bool CsvRow::add_line(std::string_view line) {
  if (quoted_) cells_.back() += '\n';
  bytes_ += line.size() + 1;
  opened_ = false;
  for (std::size_t i = 0; i < line.size(); ++i) {
    const char c = line[i];
    if (quoted_ && c == '"' && i + 1 < line.size() && line[i + 1] == '"') {
      cells_.back() += '"';
      ++i;
    } else if (quoted_ && c == '"') {
      quoted_ = false;
    } else if (!quoted_ && c == '"' && cells_.back().empty()) {
      quoted_ = opened_ = true;
    } else if (!quoted_ && c == ',') {
      cells_.emplace_back();
    } else {
      cells_.back() += c;
    }
  }
  return !quoted_;
}

std::vector<std::string> CsvRow::take() {
  std::vector<std::string> cells = std::move(cells_);
  *this = {};
  return cells;
}

namespace {

// Keeps the wanted fields of the outermost object and nothing else.
class FieldReader final : public nlohmann::json_sax<nlohmann::json> {
 public:
  FieldReader(const std::vector<std::string>& names, std::vector<std::optional<std::string>>& out)
      : names_(names), out_(out) {}

  bool null() override { return true; }
  bool boolean(bool value) override { return keep(value ? "true" : "false"); }
  bool number_integer(number_integer_t value) override { return keep(std::to_string(value)); }
  bool number_unsigned(number_unsigned_t value) override { return keep(std::to_string(value)); }
  bool number_float(number_float_t, const string_t& text) override { return keep(text); }
  bool string(string_t& value) override { return keep(std::move(value)); }
  bool binary(binary_t&) override { return true; }
  bool start_object(std::size_t) override { return open(true); }
  bool end_object() override { return close(); }
  bool start_array(std::size_t) override { return open(false); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    if (depth_ == 1)
      field_ = static_cast<std::size_t>(std::find(names_.begin(), names_.end(), name) - names_.begin());
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const nlohmann::json::exception&) override {
    fail(ExitCode::bad_data, "not valid JSON at byte {}", position);
  }

 private:
  bool keep(std::string text) {
    if (depth_ == 0) fail(ExitCode::bad_data, "got a single value, expected a JSON object");
    if (depth_ == 1 && field_ < names_.size()) out_[field_] = std::move(text);
    return true;
  }
  bool open(bool object) {
    if (depth_ == 0 && !object) fail(ExitCode::bad_data, "got a list, expected a JSON object");
    if (depth_ == 1 && field_ < names_.size())
      fail(ExitCode::bad_data, "field '{}': got {}, expected a text or a number", names_[field_],
           object ? "an object" : "a list");
    ++depth_;
    return true;
  }
  bool close() {
    --depth_;
    return true;
  }

  const std::vector<std::string>& names_;
  std::vector<std::optional<std::string>>& out_;
  std::size_t depth_ = 0, field_ = 0;
};

}  // namespace

std::vector<std::optional<std::string>> json_fields(std::string_view text,
                                                    const std::vector<std::string>& names) {
  std::vector<std::optional<std::string>> out(names.size());
  FieldReader reader(names, out);
  nlohmann::json::sax_parse(text, &reader);
  return out;
}

}  // namespace mgd
