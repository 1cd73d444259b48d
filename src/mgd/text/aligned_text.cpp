#include "mgd/text/aligned_text.h"

namespace mgd {

AlignedText::AlignedText(std::string_view text, std::uint32_t start_at) : bytes(text), start(start_at) {
  origins.resize(bytes.size());
  std::uint32_t next = start_at;  // the code point after the current one
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    if ((static_cast<unsigned char>(bytes[i]) & 0xC0u) != 0x80u) ++next;
    origins[i] = {next - 1, next};
  }
}

void AlignedText::append(const AlignedText& other, std::size_t begin, std::size_t end) {
  bytes.append(other.bytes, begin, end - begin);
  origins.insert(origins.end(), other.origins.begin() + static_cast<std::ptrdiff_t>(begin),
                 other.origins.begin() + static_cast<std::ptrdiff_t>(end));
}

void AlignedText::reserve(std::size_t num_bytes) {
  bytes.reserve(num_bytes);
  origins.reserve(num_bytes);
}

void AlignedText::prepend(std::string_view prefix) {
  if (bytes.empty()) return;
  bytes.insert(0, prefix);
  origins.insert(origins.begin(), prefix.size(), origins.front());
}

}  // namespace mgd
