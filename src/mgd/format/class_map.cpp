#include "mgd/format/class_map.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

#include "mgd/core/error.h"
#include "mgd/format/composed_name.h"

namespace mgd {

namespace {

bool only_numbers(const std::vector<std::string>& names) {
  for (std::size_t i = 0; i < names.size(); ++i)
    if (names[i] != std::to_string(i)) return false;
  return true;
}

// Class i of one is class i of the other.
std::vector<std::int64_t> by_position(std::size_t classes) {
  std::vector<std::int64_t> all(classes);
  for (std::size_t i = 0; i < classes; ++i) all[i] = static_cast<std::int64_t>(i);
  return all;
}

}  // namespace

std::string first_names(const std::vector<std::string>& names) {
  constexpr std::size_t kMost = 6;
  std::string text;
  for (std::size_t i = 0; i < std::min(names.size(), kMost); ++i)
    text += (i > 0 ? ", " : "") + printable(names[i]);
  return names.size() > kMost ? text + ", ..." : text;
}

bool ClassMap::changes_order() const {
  return static_cast<std::int64_t>(model_class.size()) != model_classes ||
         !std::is_sorted(model_class.begin(), model_class.end());
}

ClassMap match_classes(const std::vector<std::string>& model_names, std::int64_t model_classes,
                       const std::vector<std::string>& data_names) {
  ClassMap map;
  map.model_classes = model_classes;
  std::unordered_map<std::string, std::int64_t> place;
  std::unordered_set<std::string> twice;  // as ImageNet's "crane"
  for (std::size_t i = 0; i < model_names.size(); ++i)
    if (const std::string name = composed_name(model_names[i]);
        !place.emplace(name, static_cast<std::int64_t>(i)).second)
      twice.insert(name);
  for (const std::string& given : data_names) {
    const std::string name = composed_name(given);
    if (twice.contains(name))
      fail(ExitCode::usage, "the model has two classes called '{}', and the data has one", printable(name));
    if (const auto it = place.find(name); it != place.end())
      map.model_class.push_back(it->second);
    else
      map.unknown.push_back(name);
  }
  const bool none = map.model_class.empty(), all = map.unknown.empty();
  const auto count = static_cast<std::int64_t>(data_names.size());
  if (all && !none) {
    map.fit = count < model_classes ? ClassFit::subset
              : map.changes_order() ? ClassFit::order
                                    : ClassFit::same;
  } else if (none && (only_numbers(model_names) || only_numbers(data_names))) {
    map.unknown.clear();
    map.fit = count == model_classes ? ClassFit::unnamed : ClassFit::other_number;
    if (map.fit == ClassFit::unnamed) map.model_class = by_position(data_names.size());
  } else {
    map.fit = none ? ClassFit::others : ClassFit::overlap;
    map.model_class.clear();
  }
  return map;
}

std::string describe_classes(const ClassMap& map, const std::vector<std::string>& data_names) {
  MGD_ASSERT(map.found());
  switch (map.fit) {
    case ClassFit::order:
      return "has the data's classes in another order, matched by name";
    case ClassFit::subset:
      return fmt::format("has {} classes, {} of them the data's, matched by name", map.model_classes,
                         data_names.size());
    case ClassFit::unnamed:
      return fmt::format("has {} classes without common names, taken in the order of the data's ({})",
                         map.model_classes, first_names(data_names));
    default:
      return "";
  }
}

void refuse_classes(const ClassMap& map, const std::string& role, const std::vector<std::string>& model_names,
                    const std::vector<std::string>& data_names, const std::string& hint) {
  MGD_ASSERT(!map.found());
  if (map.fit == ClassFit::other_number)
    fail(ExitCode::usage,
         "{}: it has {} classes, the data has {} ({}), and without names on both sides none can be "
         "matched{}",
         role, map.model_classes, data_names.size(), first_names(data_names), hint);
  std::vector<std::string> shown;
  for (const std::string& name : model_names) shown.push_back(printable(name));
  fail(ExitCode::usage, "{}: {} of the data's {} classes {} not among its {}: '{}'{}{}", role,
       map.unknown.size(), data_names.size(), map.unknown.size() == 1 ? "is" : "are", map.model_classes,
       printable(map.unknown.front()), suggestion(map.unknown.front(), shown), hint);
}

}  // namespace mgd
