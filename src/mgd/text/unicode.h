// What the pipeline asks about characters, as the `tokenizers` package (0.22) answers.
//
// The package carries tables of several Unicode versions: 8 for punctuation, control characters and
// non-spacing marks, 9 for combining marks and normal forms, and that of its compiler for the rest. ICU knows
// in which version each character came, so one library serves all. What remains: characters newer than the
// ICU in use (72 on Debian 12: Unicode 15) count as unassigned here, where the package may know some of them
// as letters, numbers or capitals.
#pragma once

#include <cstdint>

namespace mgd {

bool is_white_space(char32_t c);
bool is_punctuation(char32_t c);      // every ASCII symbol, and category P
bool is_control(char32_t c);          // categories Cc, Cf and Co
bool is_nonspacing_mark(char32_t c);  // category Mn
bool is_mark(char32_t c);             // category M
bool is_letter(char32_t c);           // category L
bool is_number(char32_t c);           // category N
bool is_word(char32_t c);             // \w of Rust's regex: alphabetic, M, Nd, Pc, join controls

// The lower-case form; `second` is 0 but for U+0130, whose form has two code points.
struct LowerCase {
  char32_t first = 0, second = 0;
};
LowerCase lower_case(char32_t c);

}  // namespace mgd
