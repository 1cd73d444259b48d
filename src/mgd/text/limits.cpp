#include "mgd/text/limits.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/text/component.h"
#include "mgd/text/vocabulary.h"

namespace mgd {

namespace {

constexpr std::int64_t kMaxLength = std::int64_t{1} << 24;

bool is_left(const JsonPlace& json, const std::string& direction) {
  if (direction != "Left" && direction != "Right")
    refuse_component(json, direction, "direction", {"Left", "Right"});
  return direction == "Left";
}

TruncationStrategy read_strategy(const JsonPlace& json) {
  const std::string name = json.text();
  if (name == "LongestFirst") return TruncationStrategy::longest_first;
  if (name == "OnlyFirst") return TruncationStrategy::only_first;
  if (name == "OnlySecond") return TruncationStrategy::only_second;
  refuse_component(json, name, "strategy", {"LongestFirst", "OnlyFirst", "OnlySecond"});
}

void cut_to(TokenList& list, std::size_t length, const Truncation& truncation, const std::string& place) {
  if (list.size() <= length) return;
  if (length > 0 && truncation.stride >= length)
    fail(ExitCode::bad_data,
         "{}: truncation: got the stride {}, expected less than the {} tokens that are left", place,
         truncation.stride, length);
  const auto n = static_cast<std::ptrdiff_t>(list.size() - length);
  if (truncation.from_left)
    list.erase(list.begin(), list.begin() + n);
  else
    list.resize(length);
}

// The lengths of two texts that share `room`: the longer one gives first.
std::pair<std::size_t, std::size_t> shared_lengths(std::size_t first, std::size_t second, std::size_t room) {
  const bool swapped = first > second;
  std::size_t shorter = std::min(first, second);
  std::size_t longer = shorter > room ? shorter : std::max(shorter, room - shorter);
  if (shorter + longer > room) {
    shorter = room / 2;
    longer = shorter + room % 2;
  }
  return swapped ? std::pair(longer, shorter) : std::pair(shorter, longer);
}

}  // namespace

std::optional<Truncation> read_truncation(const std::optional<JsonPlace>& json) {
  if (!json) return std::nullopt;
  Truncation out;
  out.max_length = static_cast<std::size_t>(json->at("max_length").integer(0, kMaxLength));
  out.stride = static_cast<std::size_t>(json->at("stride").integer(0, kMaxLength));
  out.from_left = is_left(*json, json->text_or("direction", "Right"));
  out.strategy = read_strategy(json->at("strategy"));
  return out;
}

std::optional<Padding> read_padding(const std::optional<JsonPlace>& json) {
  if (!json) return std::nullopt;
  Padding out;
  const JsonPlace strategy = json->at("strategy");  // "BatchLongest" or {"Fixed": 128}
  if (strategy.value().is_object())
    out.length = static_cast<std::size_t>(strategy.at("Fixed").integer(0, kMaxLength));
  else if (strategy.text() != "BatchLongest")
    refuse_component(strategy, strategy.text(), "strategy", {"BatchLongest", "Fixed"});
  if (const auto multiple = json->find("pad_to_multiple_of"))
    out.multiple_of = static_cast<std::size_t>(multiple->integer(0, kMaxLength));
  out.on_left = is_left(*json, json->at("direction").text());
  out.id = static_cast<std::uint32_t>(json->at("pad_id").integer(0, kMaxTokenId));
  out.type_id = json->at("pad_type_id").integer(0, kMaxTokenId);
  out.token = json->at("pad_token").text();
  return out;
}

void truncate(std::vector<TokenList>& lists, const Truncation& truncation, std::size_t num_added,
              const std::string& place) {
  if (truncation.max_length < num_added)
    fail(ExitCode::bad_data, "{}: truncation: got {} tokens at most, expected at least the {} special ones",
         place, truncation.max_length, num_added);
  const std::size_t room = truncation.max_length - num_added;
  std::size_t total = 0;
  for (const TokenList& list : lists) total += list.size();
  if (total <= room) return;
  if (room == 0) {
    for (TokenList& list : lists) list.clear();
    return;
  }
  if (truncation.strategy == TruncationStrategy::longest_first) {
    if (lists.size() == 1) return cut_to(lists[0], room, truncation, place);
    const auto [first, second] = shared_lengths(lists[0].size(), lists[1].size(), room);
    cut_to(lists[0], first, truncation, place);
    cut_to(lists[1], second, truncation, place);
    return;
  }
  const std::size_t target = truncation.strategy == TruncationStrategy::only_first ? 0 : 1;
  if (target >= lists.size() || lists[target].size() <= total - room)
    fail(ExitCode::bad_data, "{}: truncation: the {} text alone cannot give the {} tokens above {}", place,
         target == 0 ? "first" : "second", total - room, room);
  cut_to(lists[target], lists[target].size() - (total - room), truncation, place);
}

void pad(TokenList& list, const Padding& padding) {
  std::size_t length = padding.length > 0 ? padding.length : list.size();
  if (padding.multiple_of > 0)
    length = (length + padding.multiple_of - 1) / padding.multiple_of * padding.multiple_of;
  if (list.size() >= length) return;
  const ListedToken token{
      .id = padding.id, .type_id = padding.type_id, .special = 1, .keep = 0, .piece = padding.token};
  list.insert(padding.on_left ? list.begin() : list.end(), length - list.size(), token);
}

}  // namespace mgd
