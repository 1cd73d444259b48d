#include "mgd/data/corpus.h"

#include <algorithm>

#include "mgd/data/corpus_rows.h"
#include "mgd/data/text_pieces.h"
#include "mgd/format/text_stream.h"

namespace mgd {

namespace {

bool is_blank(std::string_view text) {
  return text.find_first_not_of(" \t\r\n\f\v") == std::string_view::npos;
}

class PieceCorpus final : public CorpusReader {
 public:
  PieceCorpus(const fs::path& path, PieceEnd end) : reader_(path, end), skip_blank_(end == PieceEnd::line) {}

  bool next(CorpusPart& part) override {
    for (;; ++num_blank_) {
      if (!reader_.next(piece_)) return false;
      if (!skip_blank_ || !piece_.ends || inside_ || !is_blank(piece_.text)) break;
    }
    part = {.texts = {}, .target = {}, .last = piece_.ends, .line = piece_.line, .problem = {}};
    part.texts.push_back(std::move(piece_.text));
    inside_ = !piece_.ends;
    return true;
  }

 private:
  PieceReader reader_;
  TextPiece piece_;
  bool skip_blank_, inside_ = false;
};

class ParagraphCorpus final : public CorpusReader {
 public:
  explicit ParagraphCorpus(const fs::path& path) : reader_(path, PieceEnd::line) {}

  // Lines are gathered up to the limit, so that a document is cut as seldom as may be.
  bool next(CorpusPart& part) override {
    part = {};
    std::string text;
    while (more()) {
      const bool blank = !inside_line_ && piece_.ends && is_blank(piece_.text);
      if (blank && !in_document_) {
        taken_ = true;
        continue;
      }
      if (blank) break;
      const bool starts_line = in_document_ && !inside_line_;
      if (!text.empty() && text.size() + piece_.text.size() >= kMaxPieceBytes) return give(part, text, false);
      if (part.line == 0) part.line = piece_.line;
      if (starts_line) text += '\n';
      text += piece_.text;
      inside_line_ = !piece_.ends;
      in_document_ = taken_ = true;
    }
    if (!in_document_) return false;
    in_document_ = false;
    return give(part, text, true);
  }

 private:
  // Whether piece_ holds something that has not been taken.
  bool more() {
    if (taken_ && !reader_.next(piece_)) return false;
    taken_ = false;
    return true;
  }
  static bool give(CorpusPart& part, std::string& text, bool last) {
    part.texts = {std::move(text)};
    part.last = last;
    return true;
  }

  PieceReader reader_;
  TextPiece piece_;
  bool taken_ = true, in_document_ = false, inside_line_ = false;
};

}  // namespace

std::unique_ptr<CorpusReader> open_corpus(const fs::path& path, const CorpusOptions& options) {
  if (options.format == "lines") return std::make_unique<PieceCorpus>(path, PieceEnd::line);
  if (options.format == "file") return std::make_unique<PieceCorpus>(path, PieceEnd::file);
  if (options.format == "paragraphs") return std::make_unique<ParagraphCorpus>(path);
  return open_rows(path, options);
}

std::string corpus_format(const fs::path& path, const std::string& format) {
  if (format != "auto") return format;
  const std::string ending = text_ending(path);
  if (ending == ".jsonl" || ending == ".ndjson") return "jsonl";
  if (ending == ".csv" || ending == ".tsv") return ending.substr(1);
  return "lines";
}

}  // namespace mgd
