// Text files -> documents, in parts of bounded size.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

enum class TargetKind { none, label, score };

struct CorpusOptions {
  std::string format = "lines";                 // lines | paragraphs | file | jsonl | csv | tsv
  std::vector<std::string> columns = {"text"};  // rows: of the text, one or two; names or numbers from 0
  std::string target = "label";                 // rows: of the label or score
  TargetKind kind = TargetKind::none;
};

// A document, or a part of one: a document above 1 MiB (kMaxPieceBytes) comes in several, cut before white
// space where there is some.
struct CorpusPart {
  std::vector<std::string> texts;  // one, or two of a pair
  std::string target;              // as written; "" without one
  bool last = true;                // of its document; rows are always whole
  std::int64_t line = 0;           // where it begins, 1-based
  std::int64_t num_invalid = 0;    // places that were no UTF-8, where the format had to repair them
  std::string problem;             // not empty: a row that cannot be read, and why
};

class CorpusReader {
 public:
  virtual ~CorpusReader() = default;
  virtual bool next(CorpusPart& part) = 0;               // false: no more
  std::int64_t num_blank() const { return num_blank_; }  // blank lines that were no documents, so far

 protected:
  std::int64_t num_blank_ = 0;
};

// By the options:
//   lines       each line is a document; lines of white space alone are skipped
//   paragraphs  documents are separated by such lines, and keep their line ends
//   file        the file is one document
//   jsonl       a JSON object a line; columns and target are names of its fields
//   csv, tsv    a row a line (csv: RFC 4180, tsv: no quoting). Columns are numbers from 0, or names that the
//               first line holds; it is a header when any of those needed is a name
// Rows above 4 MiB are problems. Throws like LineReader, Error(usage) for a column that the header lacks, and
// Error(bad_data), with its line, for a quote that is never closed: it would swallow the rest of the file.
std::unique_ptr<CorpusReader> open_corpus(const fs::path& path, const CorpusOptions& options);

// The format that `auto` means: .jsonl and .ndjson, .csv, .tsv (also before .gz, .zst ...), otherwise
// lines.
std::string corpus_format(const fs::path& path, const std::string& format);

}  // namespace mgd
