// A text file of any size, read in pieces of bounded size.
#pragma once

#include <string>

#include "mgd/text/lines.h"

namespace mgd {

// A longer line is given in pieces.
inline constexpr std::size_t kMaxPieceBytes = LineReader::kMaxBytes;

struct TextPiece {
  std::string text;       // without the end of its line
  bool ends = true;       // of the line (or file); false: the next piece goes on
  std::int64_t line = 0;  // where it begins, 1-based
};

enum class PieceEnd {
  line,  // LF or CR LF; a file that ends in one has no empty line after it
  file,  // line ends are text
};

// A byte-order mark at the start is dropped. Pieces are cut before white space where there is some, otherwise
// between two characters of UTF-8.
class PieceReader {
 public:
  PieceReader(const fs::path& path, PieceEnd end);  // throws like LineReader
  bool next(TextPiece& piece);                      // false: no more

  const fs::path& path() const { return path_; }

 private:
  bool next_line(TextPiece& piece);
  bool next_of_file(TextPiece& piece);
  void read_ahead();
  fs::path path_;
  LineReader lines_;
  PieceEnd end_;
  std::string ahead_;  // the line or part that comes next
  bool has_ahead_ = false;
  std::int64_t line_ = 1;
};

}  // namespace mgd
