#include "mgd/text/unicode.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <initializer_list>

namespace mgd {

namespace {

bool in_version(char32_t c, std::uint8_t version) {
  UVersionInfo age;
  u_charAge(static_cast<UChar32>(c), age);
  return age[0] < version || (age[0] == version && age[1] == 0);
}

bool in_category(char32_t c, std::uint32_t mask) {
  return (U_GET_GC_MASK(static_cast<UChar32>(c)) & mask) != 0;
}

bool one_of(char32_t c, std::initializer_list<char32_t> list) {
  return std::find(list.begin(), list.end(), c) != list.end();
}

bool ascii_between(char32_t c, char32_t first, char32_t last) {
  return c >= first && c <= last;
}

}  // namespace

// The lists below are the characters whose category Unicode has changed since version 8 or 9.

bool is_white_space(char32_t c) {
  if (c < 0x80) return c == ' ' || ascii_between(c, 9, 13);
  return u_isUWhiteSpace(static_cast<UChar32>(c));
}

bool is_punctuation(char32_t c) {
  if (c < 0x80)
    return ascii_between(c, '!', '/') || ascii_between(c, ':', '@') || ascii_between(c, '[', '`') ||
           ascii_between(c, '{', '~');
  return (in_category(c, U_GC_P_MASK) && in_version(c, 8)) || one_of(c, {0x166D, 0x111C9});
}

bool is_control(char32_t c) {
  if (c < 0x80) return c < 0x20 || c == 0x7F;
  return in_category(c, U_GC_CC_MASK | U_GC_CF_MASK | U_GC_CO_MASK) && in_version(c, 8);
}

bool is_nonspacing_mark(char32_t c) {
  if (c < 0x300) return false;
  return (in_category(c, U_GC_MN_MASK) && in_version(c, 8) &&
          !one_of(c, {0x1885, 0x1886, 0xA9BD, 0x111C9})) ||
         c == 0x1734;
}

bool is_mark(char32_t c) {
  if (c < 0x300) return false;
  return (in_category(c, U_GC_M_MASK) && in_version(c, 9) && c != 0x111C9) || one_of(c, {0x1CF2, 0x1CF3});
}

bool is_letter(char32_t c) {
  if (c < 0x80) return ascii_between(c | 0x20, 'a', 'z');
  return in_category(c, U_GC_L_MASK);
}

bool is_number(char32_t c) {
  if (c < 0x80) return ascii_between(c, '0', '9');
  return in_category(c, U_GC_N_MASK);
}

bool is_word(char32_t c) {
  if (c < 0x80) return is_letter(c) || is_number(c) || c == '_';
  return in_category(c, U_GC_M_MASK | U_GC_ND_MASK | U_GC_PC_MASK) ||
         u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_ALPHABETIC) ||
         u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_JOIN_CONTROL);
}

LowerCase lower_case(char32_t c) {
  if (c < 0x80) return {ascii_between(c, 'A', 'Z') ? c + 32 : c};
  if (c == 0x130) return {'i', 0x307};
  return {static_cast<char32_t>(u_tolower(static_cast<UChar32>(c)))};
}

}  // namespace mgd
