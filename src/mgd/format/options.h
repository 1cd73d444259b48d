// Values written by a user, each knowing where it was written, and options declared once.
//
// An options struct declares its members with defaults and one visit(OptionVisitor&) that names each with its
// help and range. Reading, checking, printing, the schema and the documentation are visitors over that one
// declaration.
#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mgd {

struct Origin {
  std::string source;  // "recipe.yaml", "command line"; "" = default
  int line = 0;        // 1-based; 0 = none
  int column = 0;
  std::string text() const;  // "recipe.yaml:3:5", "command line", "default"
};

// The bounds of a tree: a recipe is a page of text, so anything beyond is a mistake or an attack.
inline constexpr std::size_t kMaxYamlBytes = 1'000'000;
inline constexpr int kMaxNodeDepth = 64;

// A tree of scalars, lists and maps.
struct Node {
  enum class Kind { null, scalar, list, map };
  Kind kind = Kind::null;
  std::string scalar;
  std::vector<Node> items;                           // list
  std::vector<std::pair<std::string, Node>> fields;  // map, in the order written
  Origin origin;                                     // of the value
  Origin key_origin;                                 // of its key, when it is a field

  // Defined in options.cpp: inline, std::pair<std::string, Node> would be needed before Node is complete
  // (clang refuses).
  Node();
  Node(const Node& other);
  Node(Node&& other) noexcept;
  Node& operator=(const Node& other);
  Node& operator=(Node&& other) noexcept;
  ~Node();

  bool is_null() const { return kind == Kind::null; }
  const Node* find(std::string_view key) const;  // nullptr when absent or not a map
  static Node make_scalar(std::string value);
  static Node make_list();
  static Node make_map();
  void set(const std::string& key, Node value);  // replaces or appends; makes this a map
};

struct OptionSpec {
  const char* help = "";
  double min = -std::numeric_limits<double>::infinity();
  double max = std::numeric_limits<double>::infinity();
  bool min_open = false;                  // the minimum itself is excluded
  std::vector<std::string> choices = {};  // for strings: the only values allowed
  const char* name_key = "name";          // of entries(): the key that names the thing (masks: "mask")
};

using NamedNumber = std::pair<std::string, double>;

class OptionVisitor {
 public:
  virtual ~OptionVisitor() = default;
  virtual void option(const char* name, bool& value, const OptionSpec& spec) = 0;
  virtual void option(const char* name, std::int64_t& value, const OptionSpec& spec) = 0;
  virtual void option(const char* name, double& value, const OptionSpec& spec) = 0;
  virtual void option(const char* name, std::string& value, const OptionSpec& spec) = 0;
  virtual void option(const char* name, std::vector<std::string>& value,
                      const OptionSpec& spec) = 0;  // a bare scalar is a list of one
  virtual void option(const char* name, std::vector<std::int64_t>& value, const OptionSpec& spec) = 0;
  virtual void option(const char* name, std::vector<double>& value, const OptionSpec& spec) = 0;
  // A map from texts to numbers, in the order written: `{layer1: 0.1, "*.bias": 0.5}`.
  virtual void option(const char* name, std::vector<NamedNumber>& value, const OptionSpec& spec) = 0;

  // A list of named things (losses, masks, augmentations) whose options belong to the thing itself. Each item
  // is normalised to a map with a "name": `flip` -> {name: flip}; `crop: 4` -> {name: crop, value: 4}; `crop:
  // {padding: 4}` -> {name: crop, padding: 4}.
  virtual void entries(const char* name, std::vector<Node>& value, const OptionSpec& spec) = 0;

  // A nested struct with its own visit(). A bare scalar `teacher: PATH` sets the member named
  // `scalar_member`.
  template <class S>
  void group(const char* name, S& value, const OptionSpec& spec, const char* scalar_member = nullptr) {
    if (begin_group(name, spec, scalar_member)) {
      value.visit(*this);
      end_group();
    }
  }

 protected:
  virtual bool begin_group(const char* name, const OptionSpec& spec, const char* scalar_member) = 0;
  virtual void end_group() = 0;
};

// Where the value at a dotted path ("train.lr", "losses.1.weight") was written: its own place, or that of the
// last value on the way (`teacher: PATH` answers for teacher.path). A default origin when nothing was
// written.
Origin origin_of(const Node& root, std::string_view path);

// "FILE:3:5: ", "command line: TEXT: ", or "" for a default: what an error message starts with.
std::string place_of(const Origin& origin);

// "train" + "lr" -> "train.lr"; "" + "train" -> "train".
std::string join_path(std::string_view where, std::string_view name);

// One entry of a list of named things in its normal form; see OptionVisitor::entries. `where` is its dotted
// path.
Node normalise_entry(const Node& item, const std::string& where, const std::string& name_key = "name");

// The value as an error message shows it: 'fast', 1.5, "a list", "a map", "nothing".
std::string shown(const Node& node);

// "0 ... 1", ">= 1", "> 0", "> 0 and <= 1", "one of cpu, cuda"; "" when every value is allowed.
std::string range_text(const OptionSpec& spec);

// The shortest text that reads back as the same number: "0.0005", "30", "1e-08".
std::string number_text(double value);

// The visitor that reads a map node into a struct. Throws Error(usage): "FILE:LINE:COL: unknown key 'epohcs'
// in train; did you mean 'epochs'?", "...: train.lr: got 'fast', expected a number", "...:
// losses.0.mask_ratio: got 1.5, expected 0 ... 1".
class OptionReader;

// Reads every member from `node` and refuses unknown keys. `where` is the dotted path of the node
// ("losses.0"). `ignore` names keys that belong to somebody else (e.g. "name", or the mask options of a loss
// entry).
void read_options_impl(const Node& node, const std::string& where, const std::vector<std::string>& ignore,
                       void (*visit)(void* options, OptionVisitor& v), void* options);
template <class S>
void read_options(const Node& node, S& options, const std::string& where,
                  const std::vector<std::string>& ignore = {}) {
  read_options_impl(
      node, where, ignore, [](void* o, OptionVisitor& v) { static_cast<S*>(o)->visit(v); }, &options);
}

// One row for each member: its dotted name, type, default, range or choices, help.
struct OptionInfo {
  std::string name, type, default_value, range, help;
};
std::vector<OptionInfo> describe_options_impl(void (*visit)(void* options, OptionVisitor& v), void* options);
template <class S>
std::vector<OptionInfo> describe_options(S options = {}) {
  return describe_options_impl([](void* o, OptionVisitor& v) { static_cast<S*>(o)->visit(v); }, &options);
}

// The struct as a Node tree (every member, defaults included): what config.yaml holds.
Node write_options_impl(void (*visit)(void* options, OptionVisitor& v), void* options);
template <class S>
Node write_options(S options) {
  return write_options_impl([](void* o, OptionVisitor& v) { static_cast<S*>(o)->visit(v); }, &options);
}

// YAML text -> tree. Throws Error(usage) with file:line:column for bad syntax, duplicate keys, depth > 64,
// aliases (refused: an alias bomb is the only use anybody found) and more than 1 MB.
Node parse_yaml(std::string_view text, const std::string& source);
std::string to_yaml(const Node& node);

// One value in flow form on one line: `[0.5, 0.75]`, `{name: flip}`, `"a b"`.
std::string to_yaml_flow(const Node& node);

// "train.epochs=3", "losses.1.mask_ratio=0.5", "student.model=cifar_resnet8": the value is parsed as YAML.
// Throws Error(usage) when the path crosses a scalar or an index is out of range. Maps on the way are made.
// An entry of a list may be written short
// (`- kd`): it is brought to its normal form first, so that losses.0.weight=2 works on it. Everything set has
// the origin "command line: TEXT". An empty value (`teacher.path=`) is null, which reads as "" or as an empty
// list.
void apply_override(Node& root, std::string_view assignment);

}  // namespace mgd
