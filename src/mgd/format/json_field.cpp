#include "mgd/format/json_field.h"

#include <algorithm>

#include "mgd/core/error.h"

namespace mgd {

using nlohmann::json;

JsonField::JsonField(const json& object, const std::string& source, const std::string& name)
    : name_(source + ": " + name), value_(&object) {
  for (std::size_t begin = 0; value_ != nullptr && begin <= name.size();) {
    const std::size_t dot = std::min(name.find('.', begin), name.size());
    if (!value_->is_object()) fail_as(fmt::format("what holds it is {}, expected an object", shown(*value_)));
    const auto it = value_->find(name.substr(begin, dot - begin));
    value_ = it == value_->end() || it->is_null() ? nullptr : &*it;
    begin = dot + 1;
  }
}

std::int64_t JsonField::integer(std::int64_t least, std::int64_t most) const {
  return integer_of(value(), least, most);
}

double JsonField::number(double above, double most) const {
  return number_of(value(), above, most);
}

double JsonField::fraction() const {
  const double got = value().is_number() ? value().get<double>() : -1;
  if (!(got >= 0 && got <= 1)) fail_as(fmt::format("got {}, expected a number from 0 to 1", shown(value())));
  return got;
}

bool JsonField::boolean() const {
  if (!value().is_boolean()) fail_as(fmt::format("got {}, expected true or false", shown(value())));
  return value().get<bool>();
}

std::string JsonField::text() const {
  if (!value().is_string()) fail_as(fmt::format("got {}, expected a text", shown(value())));
  return value().get<std::string>();
}

std::vector<std::string> JsonField::texts() const {
  std::vector<std::string> all;
  for (const json& element : list()) {
    if (!element.is_string()) fail_as(fmt::format("got {} in it, expected only texts", shown(element)));
    all.push_back(element.get<std::string>());
  }
  return all;
}

std::vector<double> JsonField::numbers(double above, double most) const {
  std::vector<double> all;
  for (const json& element : list()) all.push_back(number_of(element, above, most));
  return all;
}

std::vector<std::int64_t> JsonField::integers(std::int64_t least, std::int64_t most) const {
  std::vector<std::int64_t> all;
  for (const json& element : list()) all.push_back(integer_of(element, least, most));
  return all;
}

const json& JsonField::value() const {
  if (value_ == nullptr) fail_as("is missing");
  return *value_;
}

void JsonField::fail_as(const std::string& problem) const {
  fail(ExitCode::bad_data, "{}: {}", name_, problem);
}

const json& JsonField::list() const {
  if (!value().is_array()) fail_as(fmt::format("got {}, expected a list", shown(value())));
  return value();
}

std::int64_t JsonField::integer_of(const json& number, std::int64_t least, std::int64_t most) const {
  const bool fits = number.is_number_integer() &&
                    (!number.is_number_unsigned() || number.get<std::uint64_t>() <= std::uint64_t{INT64_MAX});
  const std::int64_t got = fits ? number.get<std::int64_t>() : 0;
  if (!fits || got < least || got > most)
    fail_as(fmt::format("got {}, expected a whole number from {} to {}", shown(number), least, most));
  return got;
}

double JsonField::number_of(const json& number, double above, double most) const {
  const double got = number.is_number() ? number.get<double>() : above;
  if (!(got > above && got <= most))
    fail_as(fmt::format("got {}, expected a number above {} and at most {}", shown(number), above, most));
  return got;
}

}  // namespace mgd
