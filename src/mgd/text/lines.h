// A text line by line, in bounded memory whatever it holds.
#pragma once

#include <cstddef>
#include <istream>
#include <memory>
#include <string>

#include "mgd/core/file.h"

namespace mgd {

class LineReader {
 public:
  static constexpr std::size_t kMaxBytes = std::size_t{1} << 20;

  // A file, plain or compressed; throws like open_text_stream.
  explicit LineReader(const fs::path& path, std::size_t max_bytes = kMaxBytes);
  // Reads on where `in` stands; `name` is for messages.
  LineReader(std::istream& in, std::string name, std::size_t max_bytes = kMaxBytes);

  // The next line with its line break, as it stands: the bytes may be no UTF-8. A line of more than
  // `max_bytes` comes in parts, cut before white space where some is near, else between two characters. False
  // at the end. Throws Error(io) when reading fails.
  bool next(std::string& line);

  std::size_t num_cut() const { return num_cut_; }  // lines that came in parts

 private:
  std::unique_ptr<std::istream> file_;
  std::istream* in_;
  std::string name_, buffer_;
  std::string rest_;  // of a line, behind where it was cut
  bool within_line_ = false;
  std::size_t num_cut_ = 0;
};

}  // namespace mgd
