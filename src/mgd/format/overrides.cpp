#include <charconv>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

namespace {

struct Override {
  std::string source;  // "command line: TEXT"
  std::vector<std::string> path;
};

[[noreturn]] void refuse(const Override& override_, const std::string& what) {
  throw Error(ExitCode::usage, override_.source + ": " + what);
}

std::string path_text(const Override& override_, std::size_t depth) {
  std::string text;
  for (std::size_t i = 0; i < depth; ++i) text = join_path(text, override_.path[i]);
  return text;
}

Override split_path(std::string_view assignment, std::string_view path) {
  // The text names the origin of the value from here on, in messages of one line.
  std::string line = shown(Node::make_scalar(std::string(assignment.substr(0, 2000))));
  if (line.front() == '\'') line = line.substr(1, line.size() - 2);
  Override parts{.source = "command line: " + line, .path = {}};
  while (true) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    parts.path.emplace_back(path.substr(0, dot));
    if (parts.path.back().empty())
      refuse(parts, "expected KEY=VALUE with names joined by dots, e.g. train.epochs=3");
    if (parts.path.size() > static_cast<std::size_t>(kMaxNodeDepth))
      refuse(parts, fmt::format("nested deeper than {} levels", kMaxNodeDepth));
    if (dot == path.size()) return parts;
    path.remove_prefix(dot + 1);
  }
}

void relabel(Node& node, const Origin& origin) {
  node.origin = origin;
  node.key_origin = origin;
  for (Node& item : node.items) relabel(item, origin);
  for (auto& [key, value] : node.fields) relabel(value, origin);
}

// The item of a list that path[depth] names.
Node& list_item(Node& list, const Override& override_, std::size_t depth) {
  const std::string& text = override_.path[depth];
  const std::string where = path_text(override_, depth);
  if (list.items.empty()) refuse(override_, fmt::format("{} is an empty list", where));
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), index);
  if (error != std::errc{} || end != text.data() + text.size() || index >= list.items.size())
    refuse(override_,
           fmt::format("{}: got index '{}', expected 0 ... {}", where, text, list.items.size() - 1));
  return list.items[index];
}

// `kd` or `crop: 4`: to be written out before one of its options can be set.
bool is_short_form(const Node& item) {
  return item.kind == Node::Kind::scalar || (item.kind == Node::Kind::map && item.fields.size() == 1 &&
                                             !item.find("name") && !item.find("mask"));
}

}  // namespace

void apply_override(Node& root, std::string_view assignment) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string_view::npos || equals == 0)
    fail(ExitCode::usage, "command line: got {}, expected KEY=VALUE, e.g. train.epochs=3",
         shown(Node::make_scalar(std::string(assignment))));
  const Override parts = split_path(assignment, assignment.substr(0, equals));
  const Origin origin{.source = parts.source};
  Node value = parse_yaml(assignment.substr(equals + 1), parts.source);
  relabel(value, origin);

  Node* node = &root;
  for (std::size_t depth = 0; depth < parts.path.size(); ++depth) {
    const std::string& name = parts.path[depth];
    const bool last = depth + 1 == parts.path.size();
    if (node->kind == Node::Kind::scalar)
      refuse(parts, fmt::format("{} is {}, it has no key '{}'", path_text(parts, depth), shown(*node), name));
    if (node->kind == Node::Kind::list) {
      node = &list_item(*node, parts, depth);
      if (!last && is_short_form(*node)) *node = normalise_entry(*node, path_text(parts, depth + 1));
    } else {
      if (node->find(name) == nullptr) {
        const bool created = node->is_null();
        Node fresh;
        relabel(fresh, origin);
        node->set(name, std::move(fresh));
        if (created) node->origin = origin;
      }
      node = const_cast<Node*>(node->find(name));
    }
  }
  const Origin key_origin = node->key_origin;
  *node = std::move(value);
  if (!key_origin.source.empty()) node->key_origin = key_origin;
}

}  // namespace mgd
