// What `mgd config` prints: the resolved values, where each came from, and the table of all keys.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/config.h"
#include "mgd/format/options_table.h"

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
  return options_table(describe_options<Config>());
}

}  // namespace mgd
