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
    do {
      if (!next_line(line, problem)) return false;
    } while (problem.empty() && line.text.find_first_not_of(" \r") == std::string::npos);
    part.line = line.line;
    part.problem = std::move(problem);
    if (!part.problem.empty()) return true;
    try {
      std::vector<std::string> values = row(line.text);
      if (values.size() > num_texts_) {
        part.target = std::move(values.back());
        values.pop_back();
      }
      part.texts = std::move(values);
      part.num_invalid = num_invalid_;
    } catch (const Error& error) {
      part.problem = error.what();
    }
    return true;
  }

 protected:
  std::int64_t num_invalid_ = 0;  // of the row that row() gave last

  const std::vector<std::string>& wanted() const { return wanted_; }
  const fs::path& path() const { return reader_.path(); }

  // The wanted values of the row that begins with `line`; may read on.
  virtual std::vector<std::string> row(const std::string& line) = 0;

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
  std::vector<std::string> row(const std::string& line) override {
    std::vector<std::string> values;
    num_invalid_ = 0;
    const auto fields = json_fields(valid_utf8(line, &num_invalid_), wanted());
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
    if (header && next_line(line, problem) && problem.empty()) names = cells(line.text);
    for (const std::string& column : wanted()) places_.push_back(place_of_column(column, names));
  }

 private:
  std::size_t place_of_column(const std::string& column, const std::vector<std::string>& names) const {
    const auto found = std::find(names.begin(), names.end(), column);
    if (found != names.end()) return static_cast<std::size_t>(found - names.begin());
    if (const auto number = number_of(column)) return *number;
    std::vector<std::string> shown;
    for (const std::string& name : names) shown.push_back(printable(name));
    fail(ExitCode::usage, "{}: there is no column '{}'{}", path().string(), printable(column),
         suggestion(column, shown));
  }

  std::vector<std::string> cells(const std::string& line) {
    if (!quoting_) return split_tsv(line);
    CsvRow row;
    TextPiece more{.text = line};
    std::string problem;
    while (!row.add_line(more.text)) {
      if (row.bytes() > kMaxRowBytes)
        fail(ExitCode::bad_data, "a row above {} bytes; is a quote left open?", kMaxRowBytes);
      if (!next_line(more, problem)) fail(ExitCode::bad_data, "the file ends within a quoted cell");
      if (!problem.empty()) fail(ExitCode::bad_data, "{}", problem);
    }
    return row.take();
  }

  std::vector<std::string> row(const std::string& line) override {
    std::vector<std::string> all = cells(line), values;
    for (const std::size_t place : places_) {
      if (place >= all.size())
        fail(ExitCode::bad_data, "{} columns, expected at least {}", all.size(), place + 1);
      values.push_back(all[place]);
    }
    return values;
  }

  const bool quoting_;
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
