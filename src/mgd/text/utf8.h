// UTF-8, code point by code point.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace mgd {

inline constexpr char32_t kReplacementCharacter = 0xFFFD;

// The code point at `at` of valid UTF-8; `at` moves behind it.
inline char32_t next_code_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  char32_t c = lead;
  std::size_t length = 1;
  if (lead >= 0xF0) {
    c = static_cast<char32_t>((lead & 7u) << 18 | (byte(1) & 63u) << 12 | (byte(2) & 63u) << 6 |
                              (byte(3) & 63u));
    length = 4;
  } else if (lead >= 0xE0) {
    c = static_cast<char32_t>((lead & 15u) << 12 | (byte(1) & 63u) << 6 | (byte(2) & 63u));
    length = 3;
  } else if (lead >= 0xC0) {
    c = static_cast<char32_t>((lead & 31u) << 6 | (byte(1) & 63u));
    length = 2;
  }
  at += length;
  return c;
}

// Bytes of the code point that ends before `end` of valid UTF-8.
inline std::size_t last_code_point_bytes(std::string_view text, std::size_t end) {
  std::size_t n = 1;
  while (n < end && (static_cast<unsigned char>(text[end - n]) & 0xC0u) == 0x80u) ++n;
  return n;
}

void append_utf8(std::string& out, char32_t c);
std::string to_utf8(char32_t c);
std::size_t count_code_points(std::string_view text);  // of valid UTF-8
bool is_ascii(std::string_view text);

// Bytes of `text`, from its start, that are whole valid characters.
std::size_t valid_utf8_prefix(std::string_view text);

// The text with each maximal part of a character that is no UTF-8 replaced by U+FFFD (Unicode 3.9, as
// Python's errors="replace"); `num_invalid`, where given, grows by their number.
std::string valid_utf8(std::string_view text, std::int64_t* num_invalid = nullptr);

}  // namespace mgd
