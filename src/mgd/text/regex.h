// Patterns of tokenizer.json: written for Oniguruma with Ruby's syntax, run by PCRE2.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// A stretch of a text that the pattern matches, or the stretch between two such.
struct Match {
  std::size_t begin = 0, end = 0;  // bytes
  bool matched = false;
};

class Regex {
 public:
  // Throws Error(bad_data) with `place` for a pattern that is none, and for one with a construct that has
  // another meaning in PCRE2 and no translation here: it is named, never approximated.
  Regex(std::string_view pattern, const std::string& place);
  static Regex literal(std::string_view text, const std::string& place);  // "" matches nothing

  // The whole of `text` as matches and what lies between, in order; empty matches count, empty gaps do not.
  // Throws Error(bad_data) when one match takes more steps than the limit allows.
  void find_all(std::string_view text, std::vector<Match>& out) const;

 private:
  struct Code;
  Regex(std::shared_ptr<const Code> code, std::string place);
  std::shared_ptr<const Code> code_;  // null: matches nothing
  std::string place_;
};

// The pattern in PCRE2's syntax (to be compiled with UTF, MULTILINE and newline LF).
std::string translate_pattern(std::string_view pattern, const std::string& place);

}  // namespace mgd
