// One value of a JSON object, read with bounds; every message begins with its place and dotted name.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "mgd/format/safetensors_header.h"

namespace mgd {

// The value under a dotted name, e.g. "pretrained_cfg.mean". A null is as good as no value. Everything that
// does not fit throws Error(bad_data): "SOURCE: NAME: got X, expected ...".
class JsonField {
 public:
  JsonField(const nlohmann::json& object, const std::string& source, const std::string& name);

  bool is_there() const { return value_ != nullptr; }
  std::int64_t integer(std::int64_t least, std::int64_t most) const;
  double number(double above, double most) const;  // (above, most]
  double fraction() const;                         // [0, 1]
  bool boolean() const;
  std::string text() const;
  std::vector<std::string> texts() const;
  std::vector<double> numbers(double above, double most) const;
  std::vector<std::int64_t> integers(std::int64_t least, std::int64_t most) const;
  const nlohmann::json& value() const;

  [[noreturn]] void fail_as(const std::string& problem) const;

 private:
  const nlohmann::json& list() const;
  std::int64_t integer_of(const nlohmann::json& number, std::int64_t least, std::int64_t most) const;
  double number_of(const nlohmann::json& number, double above, double most) const;

  std::string name_;
  const nlohmann::json* value_ = nullptr;
};

}  // namespace mgd
