#include "mgd/model/renaming.h"

#include <array>
#include <cctype>
#include <charconv>
#include <cstdint>
#include <optional>
#include <string_view>

#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr std::size_t kMostNumbers = 4;

struct Match {
  std::array<std::int64_t, kMostNumbers> numbers{};
  std::string_view rest;  // what stands behind the beginning: "" or ".weight"
};

bool is_digit(char c) {
  return std::isdigit(static_cast<unsigned char>(c)) != 0;
}

// The digits that `text` begins with; nothing where it does not.
std::optional<std::int64_t> take_number(std::string_view& text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || !is_digit(text.front())) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::optional<Match> matched(std::string_view name, std::string_view beginning) {
  Match match;
  while (!beginning.empty()) {
    if (beginning.front() == '{') {
      const auto place = static_cast<std::size_t>(beginning[1] - '0');
      MGD_ASSERT(place < kMostNumbers && beginning[2] == '}');
      const auto number = take_number(name);
      if (!number) return std::nullopt;
      match.numbers[place] = *number;
      beginning.remove_prefix(3);
      continue;
    }
    if (name.empty() || name.front() != beginning.front()) return std::nullopt;
    name.remove_prefix(1);
    beginning.remove_prefix(1);
  }
  if (!name.empty() && name.front() != '.') return std::nullopt;
  match.rest = name;
  return match;
}

// "0", "1-1", "0*2+1": the place of a number, then what is done to it, from left to right.
std::int64_t computed(std::string_view formula, const Match& match) {
  std::int64_t value = match.numbers.at(static_cast<std::size_t>(*take_number(formula)));
  while (!formula.empty()) {
    const char operation = formula.front();
    formula.remove_prefix(1);
    const std::int64_t operand = *take_number(formula);
    value = operation == '*' ? value * operand : operation == '+' ? value + operand : value - operand;
  }
  return value;
}

}  // namespace

std::string renamed(const std::string& name, std::span<const Renaming> rules) {
  for (const Renaming& rule : rules) {
    const auto match = matched(name, rule.ours);
    if (!match) continue;
    std::string theirs;
    for (std::string_view rest = rule.theirs; !rest.empty();) {
      if (rest.front() == '{') {
        const std::size_t end = rest.find('}');
        theirs += std::to_string(computed(rest.substr(1, end - 1), *match));
        rest.remove_prefix(end + 1);
      } else {
        theirs += rest.front();
        rest.remove_prefix(1);
      }
    }
    return theirs + std::string(match->rest);
  }
  return name;
}

}  // namespace mgd
