#include "mgd/format/options.h"

#include <charconv>

#include "mgd/core/error.h"

namespace mgd {

std::string Origin::text() const {
  if (source.empty()) return "default";
  return line > 0 ? fmt::format("{}:{}:{}", source, line, column) : source;
}

Node::Node() = default;
Node::Node(const Node& other) = default;
Node::Node(Node&& other) noexcept = default;
Node& Node::operator=(const Node& other) = default;
Node& Node::operator=(Node&& other) noexcept = default;
Node::~Node() = default;

const Node* Node::find(std::string_view key) const {
  for (const auto& [name, value] : fields)
    if (name == key) return &value;
  return nullptr;
}

Node Node::make_scalar(std::string value) {
  Node node;
  node.kind = Kind::scalar;
  node.scalar = std::move(value);
  return node;
}

Node Node::make_list() {
  Node node;
  node.kind = Kind::list;
  return node;
}

Node Node::make_map() {
  Node node;
  node.kind = Kind::map;
  return node;
}

void Node::set(const std::string& key, Node value) {
  if (kind != Kind::map) {
    kind = Kind::map;
    scalar.clear();
    items.clear();
  }
  for (auto& [name, old] : fields) {
    if (name != key) continue;
    if (value.key_origin.source.empty()) value.key_origin = old.key_origin;
    old = std::move(value);
    return;
  }
  fields.emplace_back(key, std::move(value));
}

std::string place_of(const Origin& origin) {
  return origin.source.empty() ? "" : origin.text() + ": ";
}

std::string join_path(std::string_view where, std::string_view name) {
  return where.empty() ? std::string(name) : fmt::format("{}.{}", where, name);
}

Origin origin_of(const Node& root, std::string_view path) {
  const Node* node = &root;
  while (!path.empty()) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string_view head = path.substr(0, dot);
    path.remove_prefix(std::min(dot + 1, path.size()));
    const Node* next = node->find(head);
    if (node->kind == Node::Kind::list) {
      std::size_t index = 0;
      const auto [end, error] = std::from_chars(head.data(), head.data() + head.size(), index);
      if (error == std::errc{} && end == head.data() + head.size() && index < node->items.size())
        next = &node->items[index];
    }
    // A map that lacks the key leaves it at its default; a scalar or list stands for all that is inside it.
    if (next == nullptr) return node->kind == Node::Kind::map || node->is_null() ? Origin{} : node->origin;
    node = next;
  }
  return node->origin;
}

std::string shown(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "nothing";
    case Node::Kind::list:
      return "a list";
    case Node::Kind::map:
      return "a map";
    case Node::Kind::scalar:
      break;
  }
  double number = 0;
  const char* end = node.scalar.data() + node.scalar.size();
  if (const auto [stop, error] = std::from_chars(node.scalar.data(), end, number);
      error == std::errc{} && stop == end && node.scalar.size() < 40)
    return node.scalar;
  constexpr std::size_t kMost = 60;
  std::string text = "'";
  for (const char c : node.scalar.substr(0, kMost)) {
    // Control characters would let a file write to the terminal.
    const auto byte = static_cast<unsigned char>(c);
    text += byte < 0x20 || byte == 0x7f ? fmt::format("\\x{:02x}", static_cast<unsigned>(byte))
                                        : std::string(1, c);
  }
  return text + (node.scalar.size() > kMost ? "..." : "") + "'";
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

std::string range_text(const OptionSpec& spec) {
  if (!spec.choices.empty()) {
    if (spec.choices.size() == 1) return spec.choices.front();
    std::string text = "one of ";
    for (std::size_t i = 0; i < spec.choices.size(); ++i) text += (i ? ", " : "") + spec.choices[i];
    return text;
  }
  const bool low = spec.min > -std::numeric_limits<double>::infinity();
  const bool high = spec.max < std::numeric_limits<double>::infinity();
  if (low && high && !spec.min_open) return number_text(spec.min) + " ... " + number_text(spec.max);
  std::string text;
  if (low) text = (spec.min_open ? "> " : ">= ") + number_text(spec.min);
  if (high) text += (low ? " and <= " : "<= ") + number_text(spec.max);
  return text;
}

namespace {

// Errors of lists tell the index a user counts from 0, as overrides do.
[[noreturn]] void refuse_entry(const Node& item, const std::string& where, const std::string& what) {
  fail(ExitCode::usage, "{}{}: {}", place_of(item.origin), where, what);
}

Node named_entry(const Node& item, const std::string& name_key, Node name, const Node* rest) {
  Node entry = Node::make_map();
  entry.origin = item.origin;
  entry.key_origin = item.key_origin;
  entry.set(name_key, std::move(name));
  if (rest != nullptr && rest->kind == Node::Kind::map) {
    for (const auto& [key, value] : rest->fields) entry.set(key, value);
  } else if (rest != nullptr && !rest->is_null()) {
    entry.set("value", *rest);
  }
  return entry;
}

}  // namespace

Node normalise_entry(const Node& item, const std::string& where, const std::string& name_key) {
  if (item.kind == Node::Kind::scalar && !item.scalar.empty()) {
    Node name = item;
    return named_entry(item, name_key, std::move(name), nullptr);
  }
  if (item.kind != Node::Kind::map)
    refuse_entry(item, where, fmt::format("got {}, expected a name or a map with a name", shown(item)));
  if (const Node* name = item.find(name_key)) {
    if (name->kind != Node::Kind::scalar || name->scalar.empty())
      refuse_entry(*name, where + "." + name_key, fmt::format("got {}, expected a name", shown(*name)));
    return item;
  }
  if (item.fields.size() != 1) {
    std::string keys;
    for (const auto& [key, value] : item.fields)
      if (keys.size() < 60) keys += (keys.empty() ? "" : ", ") + key;
    refuse_entry(item, where,
                 fmt::format("got a map without a {} ({}), expected {{{}: NAME, ...}}", name_key,
                             keys.empty() ? "empty" : keys, name_key));
  }
  const auto& [key, rest] = item.fields.front();
  if (rest.find(name_key) != nullptr)
    refuse_entry(rest, where, fmt::format("two names: '{}' and {}", key, shown(*rest.find(name_key))));
  Node name = Node::make_scalar(key);
  name.origin = rest.key_origin;
  name.key_origin = rest.key_origin;
  return named_entry(item, name_key, std::move(name), &rest);
}

}  // namespace mgd
