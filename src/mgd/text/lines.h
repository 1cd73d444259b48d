// A text file line by line, in bounded memory whatever it holds.
#pragma once

#include <cstddef>
#include <fstream>
#include <string>

#include "mgd/core/file.h"

namespace mgd {

class LineReader {
 public:
  // Throws Error(missing_input) and Error(refused) like require_regular_file, Error(io) when it cannot be
  // read.
  explicit LineReader(const fs::path& path, std::size_t max_bytes = std::size_t{1} << 20);

  // The next line with its line break, as it stands: the bytes may be no UTF-8. A line of more than
  // `max_bytes` comes in parts, cut behind a space where one is near, else between two characters. False at
  // the end.
  bool next(std::string& line);

  std::size_t num_cut() const { return num_cut_; }  // lines that came in parts

 private:
  void fill();
  fs::path path_;
  std::size_t max_bytes_;
  std::ifstream file_;
  std::string buffer_;
  std::size_t at_ = 0;  // of the buffer: what is before it has been given
  bool at_end_ = false, within_line_ = false;
  std::size_t num_cut_ = 0;
};

}  // namespace mgd
