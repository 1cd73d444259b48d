// What `mgd config` prints: the resolved values, where each came from, and the table of all keys.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/config.h"

namespace mgd {

namespace {

struct Row {
  std::string key, value, origin;
};

// Leaves of the resolved tree. Entries carry their own origins; the other values are looked up in what was
// written.
void collect(const Node& resolved, const Config& config, const std::string& path, bool in_entry,
             std::vector<Row>& rows) {
  if (resolved.kind == Node::Kind::map && !resolved.fields.empty()) {
    for (const auto& [name, value] : resolved.fields)
      collect(value, config, join_path(path, name), in_entry, rows);
    return;
  }
  const bool of_entries = !resolved.items.empty() && resolved.items.front().kind == Node::Kind::map;
  if (of_entries) {
    for (std::size_t i = 0; i < resolved.items.size(); ++i)
      collect(resolved.items[i], config, join_path(path, std::to_string(i)), true, rows);
    return;
  }
  const Origin origin = in_entry ? resolved.origin : origin_of(config.tree, path);
  rows.push_back({path, to_yaml_flow(resolved), origin.text()});
}

std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines = {""};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::string config_to_yaml(const Config& config) {
  return to_yaml(write_options(config));
}

std::string config_with_origins(const Config& config) {
  std::vector<Row> rows;
  collect(write_options(config), config, "", false, rows);
  std::size_t key_width = 0, value_width = 0;
  for (const Row& row : rows) {
    key_width = std::max(key_width, row.key.size());
    // A long path must not push all origins off the screen.
    if (row.value.size() <= 40) value_width = std::max(value_width, row.value.size());
  }
  std::string text;
  for (const Row& row : rows)
    text += fmt::format("{:<{}} = {:<{}}  # {}\n", row.key, key_width, row.value, value_width, row.origin);
  return text;
}

std::string config_schema() {
  constexpr std::size_t kKey = 27, kType = 9, kDefault = 14, kHelp = 56;
  std::string text =
      fmt::format("{:<{}} {:<{}} {:<{}} {}\n", "key", kKey, "type", kType, "default", kDefault, "meaning");
  for (const OptionInfo& info : describe_options<Config>()) {
    const std::string help = info.range.empty() ? info.help : info.help + " [" + info.range + "]";
    std::string left =
        fmt::format("{:<{}} {:<{}} {:<{}}", info.name, kKey, info.type, kType, info.default_value, kDefault);
    for (const std::string& line : wrap(help, kHelp)) {
      text += left + " " + line + "\n";
      left.assign(kKey + kType + kDefault + 2, ' ');
    }
  }
  return text;
}

}  // namespace mgd
