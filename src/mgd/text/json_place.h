// A value of a JSON file with the place where it stands, for messages that name it.
#pragma once

#include <cstdint>
#include <limits>
#include <nlohmann/json_fwd.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// Reads throw Error(bad_data): "FILE: model.vocab: got a list, expected an object".
class JsonPlace {
 public:
  JsonPlace(const nlohmann::json& value, std::string place) : value_(&value), place_(std::move(place)) {}

  const nlohmann::json& value() const { return *value_; }
  const std::string& place() const { return place_; }

  const nlohmann::json& object() const;                       // value(), which must be one
  JsonPlace at(std::string_view key) const;                   // required
  std::optional<JsonPlace> find(std::string_view key) const;  // absent or null: nothing
  std::vector<JsonPlace> items() const;                       // of a list

  std::string text() const;
  bool boolean() const;
  double number() const;
  std::int64_t integer(std::int64_t min = 0,
                       std::int64_t max = std::numeric_limits<std::int64_t>::max()) const;
  char32_t character() const;  // a text of exactly one code point

  std::string text_or(std::string_view key, std::string_view otherwise) const;
  bool boolean_or(std::string_view key, bool otherwise) const;

  [[noreturn]] void refuse(std::string_view what) const;  // "PLACE: WHAT"

 private:
  [[noreturn]] void expected(std::string_view what) const;
  const nlohmann::json* value_;
  std::string place_;
};

// The components of a tokenizer nest ("Sequence"); this deep at most.
inline constexpr int kMaxComponentDepth = 16;

}  // namespace mgd
