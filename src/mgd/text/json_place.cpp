#include "mgd/text/json_place.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/text/utf8.h"

namespace mgd {

void JsonPlace::refuse(std::string_view what) const {
  fail(ExitCode::bad_data, "{}: {}", place_, what);
}

void JsonPlace::expected(std::string_view what) const {
  std::string got = value_->is_null() ? "nothing" : value_->is_array() ? "a list" : "an object";
  if (value_->is_string()) got = "'" + printable(value_->get_ref<const std::string&>()) + "'";
  if (value_->is_number() || value_->is_boolean()) got = value_->dump();
  fail(ExitCode::bad_data, "{}: got {}, expected {}", place_, got, what);
}

const nlohmann::json& JsonPlace::object() const {
  if (!value_->is_object()) expected("an object");
  return *value_;
}

JsonPlace JsonPlace::at(std::string_view key) const {
  const auto found = object().find(key);
  if (found == value_->end()) refuse(fmt::format("'{}' is missing", key));
  return {*found, fmt::format("{}.{}", place_, key)};
}

std::optional<JsonPlace> JsonPlace::find(std::string_view key) const {
  const auto found = object().find(key);
  if (found == value_->end() || found->is_null()) return std::nullopt;
  return JsonPlace(*found, fmt::format("{}.{}", place_, key));
}

std::vector<JsonPlace> JsonPlace::items() const {
  if (!value_->is_array()) expected("a list");
  std::vector<JsonPlace> out;
  for (std::size_t i = 0; i < value_->size(); ++i)
    out.emplace_back((*value_)[i], fmt::format("{}[{}]", place_, i));
  return out;
}

std::string JsonPlace::text() const {
  if (!value_->is_string()) expected("a text");
  return value_->get<std::string>();
}

bool JsonPlace::boolean() const {
  if (!value_->is_boolean()) expected("true or false");
  return value_->get<bool>();
}

double JsonPlace::number() const {
  if (!value_->is_number()) expected("a number");
  return value_->get<double>();
}

std::int64_t JsonPlace::integer(std::int64_t min, std::int64_t max) const {
  const bool fits =
      value_->is_number_integer() &&
      (!value_->is_number_unsigned() ||
       value_->get<std::uint64_t>() <= static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()));
  if (!fits || value_->get<std::int64_t>() < min || value_->get<std::int64_t>() > max)
    expected(max == std::numeric_limits<std::int64_t>::max()
                 ? fmt::format("a whole number from {}", min)
                 : fmt::format("a whole number, {} to {}", min, max));
  return value_->get<std::int64_t>();
}

char32_t JsonPlace::character() const {
  const std::string all = text();
  std::size_t at = 0;
  const char32_t c = all.empty() ? 0 : next_code_point(all, at);
  if (all.empty() || at != all.size()) expected("one character");
  return c;
}

std::string JsonPlace::text_or(std::string_view key, std::string_view otherwise) const {
  const auto found = find(key);
  return found ? found->text() : std::string(otherwise);
}

bool JsonPlace::boolean_or(std::string_view key, bool otherwise) const {
  const auto found = find(key);
  return found ? found->boolean() : otherwise;
}

}  // namespace mgd
