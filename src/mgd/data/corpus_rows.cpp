#include "mgd/data/corpus_rows.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/data/text_pieces.h"
#include "mgd/format/table_row.h"
#include "mgd/text/utf8.h"

namespace mgd {

namespace {

constexpr std::size_t kMaxRowBytes = std::size_t{4} << 20;

// A column by number.
std::optional<std::size_t> number_of(const std::string& column) {
  std::size_t number = 0;
  const char* const end = column.data() + column.size();
  const auto [stop, error] = std::from_chars(column.data(), end, number);
  return error == std::errc{} && stop == end ? std::optional(number) : std::nullopt;
}

std::vector<std::string> wanted_columns(const CorpusOptions& options) {
  std::vector<std::string> all = options.columns;
  if (options.kind != TargetKind::none) all.push_back(options.target);
  return all;
}

// What is common: lines joined up to the limit, and the problems of single rows.
class RowCorpus : public CorpusReader {
 public:
  RowCorpus(const fs::path& path, const CorpusOptions& options)
      : reader_(path, PieceEnd::line), num_texts_(options.columns.size()), wanted_(wanted_columns(options)) {}

  bool next(CorpusPart& part) override {
    part = {};
    TextPiece line;
    std::string problem;
    for (;; ++num_blank_) {
      if (!next_line(line, problem)) return false;
      if (!problem.empty() || line.text.find_first_not_of(" \r") != std::string::npos) break;
    }
    part.line = line.line;
    part.problem = std::move(problem);
    if (!part.problem.empty()) return true;
    try {
      std::vector<std::string> values = row(line);
      if (values.size() > num_texts_) {
        part.target = std::move(values.back());
        values.pop_back();
      }
      part.texts = std::move(values);
      part.num_invalid = num_invalid_;
    } catch (const Error& error) {
      if (fatal_) throw;
      part.problem = error.what();
    }
    return true;
  }

 protected:
  std::int64_t num_invalid_ = 0;  // of the row that row() gave last
  bool fatal_ = false;            // what row() throws is wrong with the whole file

  const std::vector<std::string>& wanted() const { return wanted_; }
  const fs::path& path() const { return reader_.path(); }

  // The wanted values of the row that begins with `line`; may read on.
  virtual std::vector<std::string> row(const TextPiece& line) = 0;

  // A whole line. One that is too long is read to its end and is a problem.
  bool next_line(TextPiece& line, std::string& problem) {
    if (!reader_.next(line)) return false;
    bool too_long = false;
    while (!line.ends) {
      TextPiece rest;
      if (!reader_.next(rest)) break;
      too_long = too_long || line.text.size() + rest.text.size() > kMaxRowBytes;
      if (!too_long) line.text += rest.text;
      line.ends = rest.ends;
    }
    if (too_long) problem = fmt::format("a row above {} bytes", kMaxRowBytes);
    return true;
  }

 private:
  PieceReader reader_;
  std::size_t num_texts_;
  std::vector<std::string> wanted_;
};

class JsonRows final : public RowCorpus {
 public:
  using RowCorpus::RowCorpus;

 private:
  std::vector<std::string> row(const TextPiece& line) override {
    std::vector<std::string> values;
    num_invalid_ = 0;
    const auto fields = json_fields(valid_utf8(line.text, &num_invalid_), wanted());
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (!fields[i]) fail(ExitCode::bad_data, "there is no field '{}'", printable(wanted()[i]));
      values.push_back(*fields[i]);
    }
    return values;
  }
};

class TableRows final : public RowCorpus {
 public:
  TableRows(const fs::path& path, const CorpusOptions& options)
      : RowCorpus(path, options), quoting_(options.format == "csv") {
    const bool header =
        std::any_of(wanted().begin(), wanted().end(), [](const auto& c) { return !number_of(c); });
    std::vector<std::string> names;
    TextPiece line;
    std::string problem;
    if (header && next_line(line, problem) && problem.empty()) names = cells(line);
    fatal_ = false;
    for (const std::string& column : wanted()) places_.push_back(place_of_column(column, names));
  }

 private:
  std::size_t place_of_column(const std::string& column, const std::vector<std::string>& names) const {
    const auto found = std::find(names.begin(), names.end(), column);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    if (const auto number = number_of(column)) return *number;
    std::vector<std::string> shown;
    for (const std::string& name : names) shown.push_back(printable(name));
    fail(ExitCode::usage, "{}: there is no column '{}'{}{}", path().string(), printable(column),
         suggestion(column, shown), tabs_hint(names));
  }

  // A table of tabs that is called .csv (as the STS benchmark's) has one cell a row, or is cut at the commas
  // of texts.
  std::string tabs_hint(const std::vector<std::string>& cells) const {
    const bool tabs = quoting_ && std::any_of(cells.begin(), cells.end(), [](const std::string& cell) {
                        return cell.find('\t') != std::string::npos;
                      });
    return tabs ? "; it looks separated by tabs: write text.format: tsv (eval: --format tsv)" : "";
  }

  std::vector<std::string> cells(const TextPiece& line) {
    num_lines_ = 1;
    if (!quoting_) return split_tsv(line.text);
    CsvRow row;
    TextPiece more = line;
    std::string problem;
    std::int64_t opened = 0;  // the line of the quote that is open
    for (bool was_open = false; !row.add_line(more.text); ++num_lines_) {
      if (!was_open || row.opened_again()) opened = more.line;
      was_open = true;
      if (row.bytes() <= kMaxRowBytes && next_line(more, problem) && problem.empty()) continue;
      fatal_ = true;
      fail(ExitCode::bad_data,
           "{}:{}: a quote opens here and is not closed in the {} lines that follow; they would be one cell. "
           "Close it, or "
           "write text.format: tsv for a table without quoting",
           path().string(), opened, more.line - opened);
    }
    return row.take();
  }

  std::vector<std::string> row(const TextPiece& line) override {
    std::vector<std::string> all = cells(line), values;
    for (const std::size_t place : places_) {
      if (place >= all.size())
        fail(ExitCode::bad_data, "{} columns, expected at least {}{}{}", all.size(), place + 1,
             num_lines_ > 1 ? fmt::format(", in a row of {} lines; is a quote left open?", num_lines_) : "",
             tabs_hint(all));
      values.push_back(all[place]);
    }
    return values;
  }

  const bool quoting_;
  std::int64_t num_lines_ = 1;  // of the row that cells() read last
  std::vector<std::size_t> places_;
};

}  // namespace

std::unique_ptr<CorpusReader> open_rows(const fs::path& path, const CorpusOptions& options) {
  MGD_ASSERT(!options.columns.empty() && options.columns.size() <= 2);
  if (options.format == "jsonl") return std::make_unique<JsonRows>(path, options);
  MGD_ASSERT(options.format == "csv" || options.format == "tsv");
  return std::make_unique<TableRows>(path, options);
}

}  // namespace mgd
