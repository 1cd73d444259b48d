#include "mgd/text/lines.h"

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Where to cut `text`, which is too long: a space in its second half, or else a character's start.
std::size_t cut_of(std::string_view text) {
  const std::size_t space = text.rfind(' ');
  if (space != text.npos && space >= text.size() / 2) return space + 1;
  std::size_t cut = text.size();
  for (std::size_t i = 0; i < 3 && cut > 1 && (static_cast<unsigned char>(text[cut - 1]) & 0xC0u) == 0x80u;
       ++i)
    --cut;
  // In front of a lead byte whose character may be incomplete; bytes that are no UTF-8 are cut anywhere.
  const bool lead = cut > 1 && static_cast<unsigned char>(text[cut - 1]) >= 0xC0;
  return lead ? cut - 1 : text.size();
}

}  // namespace

LineReader::LineReader(const fs::path& path, std::size_t max_bytes) : path_(path), max_bytes_(max_bytes) {
  require_regular_file(path);
  file_.open(path, std::ios::binary);
  if (!file_) fail(ExitCode::io, "{}: cannot be opened for reading", path.string());
}

void LineReader::fill() {
  buffer_.erase(0, at_);
  at_ = 0;
  const std::size_t kept = buffer_.size();
  buffer_.resize(max_bytes_ + 1);
  file_.read(buffer_.data() + kept, static_cast<std::streamsize>(buffer_.size() - kept));
  if (file_.bad()) fail(ExitCode::io, "{}: reading failed", path_.string());
  buffer_.resize(kept + static_cast<std::size_t>(file_.gcount()));
  at_end_ = file_.eof();
}

bool LineReader::next(std::string& line) {
  std::size_t end = buffer_.find('\n', at_);
  if (end == std::string::npos && !at_end_) {
    fill();
    end = buffer_.find('\n');
  }
  if (at_ == buffer_.size()) return false;
  const bool whole = end != std::string::npos || at_end_;
  std::size_t size = (end == std::string::npos ? buffer_.size() : end + 1) - at_;
  if (size > max_bytes_ || !whole) {
    size = cut_of(std::string_view(buffer_).substr(at_, std::min(size, max_bytes_)));
    num_cut_ += within_line_ ? 0 : 1;
    within_line_ = true;
  } else {
    within_line_ = false;
  }
  line.assign(buffer_, at_, size);
  at_ += size;
  return true;
}

}  // namespace mgd
