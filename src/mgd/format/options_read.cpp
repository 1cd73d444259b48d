// Reading: a visitor that takes each member from a map node and refuses what it does not know.
#include <algorithm>
#include <charconv>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

namespace {

[[noreturn]] void refuse(const Node& node, const std::string& where, const std::string& expected) {
  fail(ExitCode::usage, "{}{}: got {}, expected {}", place_of(node.origin), where, shown(node), expected);
}

void check_range(const Node& node, const std::string& where, double value, const OptionSpec& spec) {
  const bool low = spec.min_open ? value <= spec.min : value < spec.min;
  if (low || value > spec.max) refuse(node, where, range_text(spec));
}

void read_scalar(const Node& node, const std::string& where, bool& value, const OptionSpec&) {
  if (node.kind != Node::Kind::scalar || (node.scalar != "true" && node.scalar != "false"))
    refuse(node, where, "true or false");
  value = node.scalar == "true";
}

template <class T>
std::errc parse_number(const Node& node, T& value) {
  const char* end = node.scalar.data() + node.scalar.size();
  const auto [stop, error] = std::from_chars(node.scalar.data(), end, value);
  if (error == std::errc::invalid_argument || stop != end) return std::errc::invalid_argument;
  return error;
}

void read_scalar(const Node& node, const std::string& where, std::int64_t& value, const OptionSpec& spec) {
  std::int64_t number = 0;
  const std::errc error =
      node.kind == Node::Kind::scalar ? parse_number(node, number) : std::errc::invalid_argument;
  if (error == std::errc::result_out_of_range) refuse(node, where, "an integer of at most 64 bits");
  if (error != std::errc{}) refuse(node, where, "an integer");
  check_range(node, where, static_cast<double>(number), spec);
  value = number;
}

void read_scalar(const Node& node, const std::string& where, double& value, const OptionSpec& spec) {
  double number = 0;
  const std::errc error =
      node.kind == Node::Kind::scalar ? parse_number(node, number) : std::errc::invalid_argument;
  if (error == std::errc::result_out_of_range) refuse(node, where, "a number that a double holds");
  if (error != std::errc{} || !std::isfinite(number)) refuse(node, where, "a number");
  check_range(node, where, number, spec);
  value = number;
}

void read_scalar(const Node& node, const std::string& where, std::string& value, const OptionSpec& spec) {
  if (node.kind != Node::Kind::scalar && !node.is_null()) refuse(node, where, "a text");
  // A NUL would end a path early in every system call, silently.
  if (node.scalar.find('\0') != std::string::npos) refuse(node, where, "a text without NUL");
  if (!spec.choices.empty() &&
      std::find(spec.choices.begin(), spec.choices.end(), node.scalar) == spec.choices.end()) {
    const std::string near = nearest_name(node.scalar, spec.choices);
    refuse(node, where, range_text(spec) + (near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
  }
  value = node.scalar;
}

template <class T>
void read_list(const Node& node, const std::string& where, std::vector<T>& values, const OptionSpec& spec) {
  std::vector<T> read;
  if (node.kind == Node::Kind::map) refuse(node, where, "a list");
  if (node.kind == Node::Kind::scalar) {
    read.resize(1);
    read_scalar(node, where, read.front(), spec);
  }
  for (std::size_t i = 0; i < node.items.size(); ++i) {
    T item{};
    read_scalar(node.items[i], join_path(where, std::to_string(i)), item, spec);
    read.push_back(std::move(item));
  }
  values = std::move(read);
}

}  // namespace

class OptionReader : public OptionVisitor {
 public:
  OptionReader(const Node& node, std::string where, std::vector<std::string> ignore) {
    open(node, std::move(where), std::move(ignore), nullptr);
  }

  void option(const char* name, bool& value, const OptionSpec& spec) override { read_one(name, value, spec); }
  void option(const char* name, std::int64_t& value, const OptionSpec& spec) override {
    read_one(name, value, spec);
  }
  void option(const char* name, double& value, const OptionSpec& spec) override {
    read_one(name, value, spec);
  }
  void option(const char* name, std::string& value, const OptionSpec& spec) override {
    read_one(name, value, spec);
  }
  void option(const char* name, std::vector<std::string>& value, const OptionSpec& spec) override {
    read_many(name, value, spec);
  }
  void option(const char* name, std::vector<std::int64_t>& value, const OptionSpec& spec) override {
    read_many(name, value, spec);
  }
  void option(const char* name, std::vector<double>& value, const OptionSpec& spec) override {
    read_many(name, value, spec);
  }
  void option(const char* name, std::vector<NamedNumber>& value, const OptionSpec& spec) override {
    const Node* node = take(name);
    if (node == nullptr) return;
    const std::string where = join_path(frames_.back().where, name);
    if (node->kind != Node::Kind::map && !node->is_null()) refuse(*node, where, "a map of name: number");
    value.clear();
    for (const auto& [key, number] : node->fields) {
      value.emplace_back(key, 0.0);
      read_scalar(number, join_path(where, key), value.back().second, spec);
    }
  }

  void entries(const char* name, std::vector<Node>& value, const OptionSpec& spec) override {
    const Node* node = take(name);
    if (node == nullptr) return;
    const std::string where = join_path(frames_.back().where, name);
    std::vector<Node> read;
    // One thing alone needs no brackets: `augment: flip`.
    if (node->kind == Node::Kind::scalar || node->kind == Node::Kind::map)
      read.push_back(normalise_entry(*node, where, spec.name_key));
    for (std::size_t i = 0; i < node->items.size(); ++i)
      read.push_back(normalise_entry(node->items[i], join_path(where, std::to_string(i)), spec.name_key));
    if (!spec.choices.empty()) {
      for (const Node& entry : read) {
        std::string ignored;
        read_scalar(*entry.find(spec.name_key), where, ignored, spec);
      }
    }
    value = std::move(read);
  }

  // Every key must have been asked for by now.
  void finish() const {
    const Frame& frame = frames_.back();
    for (const auto& [key, value] : frame.node.fields) {
      if (std::find(frame.known.begin(), frame.known.end(), key) != frame.known.end()) continue;
      const Origin& origin = value.key_origin.source.empty() ? value.origin : value.key_origin;
      const std::string group = frame.where.empty() ? "" : " in " + frame.where;
      fail(ExitCode::usage, "{}unknown key {}{}{}", place_of(origin), shown(Node::make_scalar(key)), group,
           suggestion(key, frame.known));
    }
  }

 protected:
  bool begin_group(const char* name, const OptionSpec&, const char* scalar_member) override {
    const Node* node = take(name);
    if (node == nullptr || node->is_null()) return false;
    open(*node, join_path(frames_.back().where, name), {}, scalar_member);
    return true;
  }
  void end_group() override {
    finish();
    frames_.pop_back();
  }

 private:
  struct Frame {
    Node node;  // a map; for `teacher: PATH`, {path: PATH}
    std::string where;
    std::vector<std::string> known;  // asked for so far, and what belongs to somebody else
  };

  void open(const Node& node, std::string where, std::vector<std::string> ignore, const char* scalar_member) {
    Node map = node;
    if (node.kind == Node::Kind::scalar && scalar_member != nullptr) {
      map = Node::make_map();
      map.origin = node.origin;
      map.set(scalar_member, node);
    }
    if (map.kind != Node::Kind::map && !map.is_null())
      refuse(node, where.empty() ? "the top level" : where, "a map of key: value");
    frames_.push_back({std::move(map), std::move(where), std::move(ignore)});
  }
  const Node* take(const char* name) {
    frames_.back().known.emplace_back(name);
    return frames_.back().node.find(name);
  }
  template <class T>
  void read_one(const char* name, T& value, const OptionSpec& spec) {
    if (const Node* node = take(name)) read_scalar(*node, join_path(frames_.back().where, name), value, spec);
  }
  template <class T>
  void read_many(const char* name, std::vector<T>& value, const OptionSpec& spec) {
    if (const Node* node = take(name)) read_list(*node, join_path(frames_.back().where, name), value, spec);
  }

  std::vector<Frame> frames_;
};

void read_options_impl(const Node& node, const std::string& where, const std::vector<std::string>& ignore,
                       void (*visit)(void* options, OptionVisitor& v), void* options) {
  OptionReader reader(node, where, ignore);
  visit(options, reader);
  reader.finish();
}

}  // namespace mgd
