#include "mgd/text/lines.h"

#include <string_view>

#include "mgd/core/error.h"
#include "mgd/format/text_stream.h"

namespace mgd {

namespace {

// Where to cut `text`, which is too long: in front of white space in its second half, or else of a character.
// Byte-level tokenizers join a space to the word behind it, so a cut behind one would change the tokens.
std::size_t cut_of(std::string_view text) {
  const std::size_t word = text.find_last_not_of(" \t", text.find_last_of(" \t"));
  if (word != text.npos && word + 1 < text.size() && word + 1 >= text.size() / 2) return word + 1;
  std::size_t cut = text.size();
  for (std::size_t i = 0; i < 3 && cut > 1 && (static_cast<unsigned char>(text[cut - 1]) & 0xC0u) == 0x80u;
       ++i)
    --cut;
  // In front of a lead byte whose character may be incomplete; bytes that are no UTF-8 are cut anywhere.
  const bool lead = cut > 1 && static_cast<unsigned char>(text[cut - 1]) >= 0xC0;
  return lead ? cut - 1 : text.size();
}

}  // namespace

LineReader::LineReader(const fs::path& path, std::size_t max_bytes)
    : file_(open_text_stream(path)), in_(file_.get()), name_(path.string()), buffer_(max_bytes + 1, '\0') {}

LineReader::LineReader(std::istream& in, std::string name, std::size_t max_bytes)
    : in_(&in), name_(std::move(name)), buffer_(max_bytes + 1, '\0') {}

bool LineReader::next(std::string& line) {
  line = std::move(rest_);
  rest_.clear();
  const std::size_t room = buffer_.size() - 1 - line.size();
  in_->getline(buffer_.data(), static_cast<std::streamsize>(room + 1));
  if (in_->bad()) fail(ExitCode::io, "{}: reading failed", name_);
  const auto size = static_cast<std::size_t>(in_->gcount());
  if (in_->good()) {
    line.append(buffer_, 0, size - 1).push_back('\n');  // the line break was read and not kept
    within_line_ = false;
    return true;
  }
  line.append(buffer_, 0, size);
  if (in_->eof()) return !line.empty();
  in_->clear();  // the room was not enough
  const std::size_t cut = cut_of(line);
  rest_ = line.substr(cut);
  line.resize(cut);
  num_cut_ += within_line_ ? 0 : 1;
  within_line_ = true;
  return true;
}

}  // namespace mgd
