// A text that remembers where in the original each of its bytes comes from, through every rewriting.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/text/utf8.h"

namespace mgd {

// [begin, end) in code points of the original text.
struct OriginSpan {
  std::uint32_t begin = 0, end = 0;
  bool operator==(const OriginSpan&) const = default;
};

struct AlignedText {
  std::string bytes;                // valid UTF-8
  std::vector<OriginSpan> origins;  // one a byte; all bytes of a character share theirs
  std::uint32_t start = 0;          // where this text begins in the original

  AlignedText() = default;
  // A part of the original that begins at its code point `start_at`.
  explicit AlignedText(std::string_view text, std::uint32_t start_at = 0);

  bool empty() const { return bytes.empty(); }
  void put(char32_t c, OriginSpan origin) {
    if (c < 0x80) {
      bytes.push_back(static_cast<char>(c));
      origins.push_back(origin);
    } else {
      append_utf8(bytes, c);
      origins.resize(bytes.size(), origin);
    }
  }
  void put(std::string_view text, OriginSpan origin) {
    bytes.append(text);
    origins.resize(bytes.size(), origin);
  }
  void append(const AlignedText& other, std::size_t begin, std::size_t end);  // bytes of `other`
  void append(const AlignedText& other) { append(other, 0, other.bytes.size()); }
  void reserve(std::size_t num_bytes);

  // Puts `prefix` in front of a text that is not empty; it shares the origin of the first character.
  void prepend(std::string_view prefix);
};

// Rewrites each character alone: `rewrite(c, put)` calls put(c2) for what takes its place, with its origin.
template <class F>
void rewrite_characters(AlignedText& text, const F& rewrite) {
  AlignedText out;
  out.start = text.start;
  out.reserve(text.bytes.size() + text.bytes.size() / 8);
  for (std::size_t at = 0; at < text.bytes.size();) {
    const OriginSpan origin = text.origins[at];
    rewrite(next_code_point(text.bytes, at), [&](char32_t c) { out.put(c, origin); });
  }
  text = std::move(out);
}

}  // namespace mgd
