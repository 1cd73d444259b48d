// Node -> YAML text. Scalars that could be read as anything else are quoted; the rest stays plain.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

namespace {

// A longer key must be announced by "? ", or a reader gives up looking for its colon (YAML 1.2, 7.4.2: 1024
// characters).
constexpr std::size_t kLongKey = 500;

bool is_safe(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.' ||
         c == '/' || c == '-' || c == '+';
}

// Plain scalars are a conservative subset, valid in block and in flow context: no space, no indicator.
bool is_plain(const std::string& text) {
  if (text.empty() || text.size() > 200 || !std::all_of(text.begin(), text.end(), is_safe)) return false;
  if (text == "null" || text == "Null" || text == "NULL") return false;
  // "-" opens a list, "---" and "..." a document.
  if (text.front() == '-' || text.front() == '+')
    return text.size() > 1 &&
           ((text[1] >= '0' && text[1] <= '9') || (text[1] == '.' && text.size() > 2 && text[2] != '.'));
  return !text.starts_with("...");
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (c == '\t') {
      out += "\\t";
    } else if (byte < 0x20 || byte == 0x7f) {
      out += fmt::format("\\x{:02x}", static_cast<unsigned>(byte));
    } else {
      out += c;
    }
  }
  return out + '"';
}

std::string scalar_text(const std::string& text) {
  return is_plain(text) ? text : quoted(text);
}

bool is_leaf(const Node& node) {
  const auto plain = [](const Node& item) { return item.kind == Node::Kind::scalar || item.is_null(); };
  if (node.kind == Node::Kind::map) return node.fields.empty();
  return std::all_of(node.items.begin(), node.items.end(), plain);
}

void write_fields(const Node& map, std::size_t indent, bool hang, std::string& out);

void write_value(const Node& node, std::size_t indent, std::string& out) {
  if (is_leaf(node)) {
    out += ' ' + to_yaml_flow(node) + '\n';
  } else if (node.kind == Node::Kind::map) {
    out += '\n';
    write_fields(node, indent + 2, false, out);
  } else {
    out += '\n';
    for (const Node& item : node.items) {
      out += std::string(indent + 2, ' ') + '-';
      if (item.kind == Node::Kind::map && !item.fields.empty()) {
        out += ' ';
        write_fields(item, indent + 4, true, out);
      } else {
        out += ' ' + to_yaml_flow(item) + '\n';
      }
    }
  }
}

// `hang`: the first key stands on the line that is already begun ("- name: kd").
void write_fields(const Node& map, std::size_t indent, bool hang, std::string& out) {
  for (const auto& [key, value] : map.fields) {
    if (!hang) out += std::string(indent, ' ');
    hang = false;
    // A long key must be announced, or a reader gives up looking for its colon (YAML 1.2, 7.4.2: 1024
    // characters).
    const std::string name = scalar_text(key);
    out += name.size() > kLongKey ? "? " + name + '\n' + std::string(indent, ' ') + ':' : name + ':';
    write_value(value, indent, out);
  }
}

}  // namespace

std::string to_yaml_flow(const Node& node) {
  switch (node.kind) {
    case Node::Kind::null:
      return "null";
    case Node::Kind::scalar:
      return scalar_text(node.scalar);
    case Node::Kind::list: {
      std::string out = "[";
      for (const Node& item : node.items) out += (out.size() > 1 ? ", " : "") + to_yaml_flow(item);
      return out + "]";
    }
    case Node::Kind::map:
      break;
  }
  std::string out = "{";
  for (const auto& [key, value] : node.fields) {
    if (out.size() > 1) out += ", ";
    const std::string name = scalar_text(key);
    out += (name.size() > kLongKey ? "? " : "") + name + ": " + to_yaml_flow(value);
  }
  return out + "}";
}

std::string to_yaml(const Node& node) {
  std::string out;
  if (node.kind == Node::Kind::map && !node.fields.empty()) {
    write_fields(node, 0, false, out);
  } else {
    out = to_yaml_flow(node) + "\n";
  }
  return out;
}

}  // namespace mgd
