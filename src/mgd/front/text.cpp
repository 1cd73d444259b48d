#include "mgd/front/text.h"

#include <fmt/core.h>

#include <algorithm>

namespace mgd {

std::string wrapped(const std::string& left, std::size_t left_width, const std::string& text) {
  constexpr std::size_t kColumns = 80;
  std::string out = fmt::format("{:<{}}", left, left_width);
  std::size_t column = left_width;
  // A left part that is too long gets a line of its own.
  if (left.size() >= left_width) {
    out += '\n' + std::string(left_width, ' ');
  }
  std::size_t begin = 0;
  bool first = true;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!first && column + 1 + word.size() > kColumns) {
      out += '\n' + std::string(left_width, ' ');
      column = left_width;
      first = true;
    }
    out += (first ? "" : " ") + word;
    column += word.size() + (first ? 0 : 1);
    first = false;
    begin = end + 1;
  }
  return out + '\n';
}

std::string terminal_text(const std::string& text) {
  std::string out;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if ((byte < 0x20 && c != '\n' && c != '\t') || byte == 0x7F)
      out += "\uFFFD";
    else
      out += c;
  }
  return out;
}

}  // namespace mgd
