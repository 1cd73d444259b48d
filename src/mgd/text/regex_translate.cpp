// Where Ruby's Oniguruma and PCRE2 read the same pattern differently.
#include <fmt/format.h>

#include "mgd/core/error.h"
#include "mgd/text/regex.h"

namespace mgd {

namespace {

// Members of a class. PCRE2's own \s has U+180E besides, its \w has no marks; Oniguruma's \w has the numbers
// of Latin-1 besides the alphabetic ones.
constexpr std::string_view kSpace =
    "\\x{09}-\\x{0D}\\x{20}\\x{85}\\x{A0}\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{"
    "3000}";
constexpr std::string_view kWord = "\\p{Alphabetic}\\p{M}\\p{Nd}\\p{Pc}\\x{B2}\\x{B3}\\x{B9}\\x{BC}-\\x{BE}";
constexpr std::string_view kHex = "0-9A-Fa-f";

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_ascii_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

class Translation {
 public:
  Translation(std::string_view pattern, const std::string& place) : in_(pattern), place_(place) {}

  std::string run() {
    while (at_ < in_.size()) {
      const char c = in_[at_];
      if (c == '\\')
        escape();
      else if (in_class_)
        class_character(c);
      else if (c == '[')
        open_class();
      else if (c == '(')
        group();
      else if (c == '{')
        interval();
      else
        copy(1);
    }
    return out_;
  }

 private:
  [[noreturn]] void refuse(std::string_view construct) const {
    fail(ExitCode::bad_data, "{}: the pattern '{}' has {}, which is not supported", place_, printable(in_),
         construct);
  }
  void copy(std::size_t n) {
    out_ += in_.substr(at_, n);
    at_ += n;
  }
  void put(std::string_view text, std::size_t taken) {
    out_ += text;
    at_ += taken;
  }

  void open_class() {
    in_class_ = true;
    class_start_ = true;
    copy(1);
    if (at_ < in_.size() && in_[at_] == '^') copy(1);
  }

  void class_character(char c) {
    if (c == '[') refuse(in_.substr(at_).starts_with("[:") ? "a POSIX class" : "a class within a class");
    if (in_.substr(at_).starts_with("&&")) refuse("an intersection of classes (&&)");
    if (c == ']') {
      if (class_start_) refuse("an empty class");
      in_class_ = false;
    }
    class_start_ = false;
    copy(1);
  }

  // Ruby's (?m) lets the dot match line breaks; ^ and $ always know lines.
  void group() {
    if (in_.substr(at_).starts_with("(*")) refuse("(*");  // a verb of PCRE2's alone
    if (!in_.substr(at_).starts_with("(?")) return copy(1);
    copy(2);
    if (at_ < in_.size() && in_[at_] == '~') refuse("an absence operator (?~");
    if (at_ < in_.size() && !is_ascii_letter(in_[at_]) && in_[at_] != '-') return;
    for (; at_ < in_.size() && in_[at_] != ':' && in_[at_] != ')'; ++at_) {
      const char c = in_[at_];
      if (c == 'm')
        out_ += 's';
      else if (c == 'i' || c == 'x' || c == '-')
        out_ += c;
      else
        refuse(fmt::format("(?{}", c));
    }
  }

  // {2,3}+ repeats the repetition in Ruby and is possessive in PCRE2; {,3} starts at 0 in Ruby alone.
  void interval() {
    const std::size_t end = in_.find('}', at_);
    const std::string_view body = end == in_.npos ? "" : in_.substr(at_ + 1, end - at_ - 1);
    const bool counts = !body.empty() && body.find_first_not_of("0123456789,") == body.npos && body != ",";
    if (!counts) return put("\\{", 1);
    if (end + 1 < in_.size() && in_[end + 1] == '+') refuse("a + behind {}");
    if (body[0] == ',') return put(fmt::format("{{0{}}}", body), body.size() + 2);
    copy(body.size() + 2);
  }

  // Members of a class, alone or within one; a negated set needs what completes PCRE2's own escape.
  void set(std::string_view members, bool negated, std::string_view inside_negated) {
    if (!in_class_)
      put(fmt::format("[{}{}]", negated ? "^" : "", members), 2);
    else if (!negated)
      put(members, 2);
    else if (!inside_negated.empty())
      put(inside_negated, 2);
    else
      refuse("a negated escape within a class");
  }

  void escape() {
    if (at_ + 1 == in_.size()) refuse("a backslash at its end");
    class_start_ = false;
    const char c = in_[at_ + 1];
    switch (c) {
      case 's':
        return set(kSpace, false, "");
      case 'S':
        return set(kSpace, true, "\\P{Xsp}\\x{180E}");
      case 'w':
        return set(kWord, false, "");
      case 'W':
        return set(kWord, true, "");
      case 'd':
        return put("\\p{Nd}", 2);
      case 'D':
        return put("\\P{Nd}", 2);
      case 'h':
        return set(kHex, false, "");
      case 'H':
        return set(kHex, true, "");
      case 'v':
        return put("\\x{0B}", 2);
      case 'u':
        return hexadecimal(4);
      case 'x':
        return in_.substr(at_ + 2).starts_with('{') ? braced_code() : byte_escape();
      case 'b':
      case 'B':
        return boundary(c == 'B');
      case 'p':
      case 'P':
        return property();
      default:
        break;
    }
    const std::string_view same_in_class = "nrtfae", same = "nrtfaeAzZGKRX";
    if (is_ascii_letter(c) && (in_class_ ? same_in_class : same).find(c) == std::string_view::npos)
      refuse(fmt::format("\\{}", c));
    if (in_class_ && is_digit(c) && c != '0') refuse(fmt::format("\\{} within a class", c));
    copy(2);
  }

  void hexadecimal(std::size_t digits) {
    const std::string_view code = in_.substr(at_ + 2, digits);
    if (code.size() < digits || code.find_first_not_of("0123456789abcdefABCDEF") != code.npos)
      refuse(fmt::format("\\{} without {} hexadecimal digits", in_[at_ + 1], digits));
    put(fmt::format("\\x{{{}}}", code), 2 + digits);
  }

  void braced_code() {
    const std::size_t end = in_.find('}', at_);
    if (end == in_.npos) refuse("\\x{ without }");
    copy(end + 1 - at_);
  }

  void byte_escape() {
    const std::string_view code = in_.substr(at_ + 2, 2);
    if (code.size() == 2 && code[0] > '7') refuse("a byte that is no character (\\x80 and above)");
    hexadecimal(2);
  }

  void boundary(bool negated) {
    if (in_class_) return negated ? refuse("\\B within a class") : put("\\x{08}", 2);
    put(negated ? fmt::format("(?:(?<=[{0}])(?=[{0}])|(?<![{0}])(?![{0}]))", kWord)
                : fmt::format("(?:(?<=[{0}])(?![{0}])|(?<![{0}])(?=[{0}]))", kWord),
        2);
  }

  // \p{Han} is the script alone in Ruby, and the script with its extensions in PCRE2.
  void property() {
    const std::size_t end = in_.find('}', at_);
    if (!in_.substr(at_ + 2).starts_with('{') || end == in_.npos) refuse("\\p without {NAME}");
    std::string_view name = in_.substr(at_ + 3, end - at_ - 3);
    const bool negated = name.starts_with('^');
    if (negated) name.remove_prefix(1);
    const bool category = name.size() <= 2 || name == "Any";
    const char letter = negated == (in_[at_ + 1] == 'p') ? 'P' : 'p';
    put(fmt::format("\\{}{{{}{}}}", letter, category ? "" : "sc:", name), end + 1 - at_);
  }

  std::string_view in_;
  const std::string& place_;
  std::string out_;
  std::size_t at_ = 0;
  bool in_class_ = false;
  bool class_start_ = false;  // nothing but [ or [^ so far
};

}  // namespace

std::string translate_pattern(std::string_view pattern, const std::string& place) {
  return Translation(pattern, place).run();
}

}  // namespace mgd
