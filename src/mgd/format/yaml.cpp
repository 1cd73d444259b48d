// YAML text -> Node, over the events of yaml-cpp: bounds are checked while the text is read, so nothing large
// is ever built.
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <map>
#include <sstream>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

namespace {

class TreeBuilder : public YAML::EventHandler {
 public:
  explicit TreeBuilder(const std::string& source) : source_(source) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) refuse(mark, "a second document begins here, expected one");
  }
  void OnDocumentEnd() override {}
  void OnAnchor(const YAML::Mark& mark, const std::string& name) override {
    refuse(mark, fmt::format("anchor '&{}': anchors and aliases are not supported; write the value out",
                             name.substr(0, 40)));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    refuse(mark, "an alias: anchors and aliases are not supported; write the value out");
  }
  void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override {
    check(mark, "", anchor);
    if (expects_key()) refuse(mark, "an empty key");
    place(mark, Node{});
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check(mark, tag, anchor);
    if (expects_key()) return take_key(mark, value);
    place(mark, Node::make_scalar(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::list);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(mark, tag, anchor, Node::Kind::map);
  }
  void OnMapEnd() override { close(); }

  [[noreturn]] void refuse(const YAML::Mark& mark, const std::string& what) const {
    throw Error(ExitCode::usage, place_of(origin(mark)) + what);
  }
  Node take() { return std::move(root_); }

 private:
  // A collection being read. `seen` finds a repeated key without a scan: 200,000 keys fit the size limit.
  struct Frame {
    Node node;
    std::map<std::string, Origin> seen;
    std::string key;
    Origin key_origin;
    bool has_key = false;
  };

  Origin origin(const YAML::Mark& mark) const {
    return {.source = source_, .line = std::max(mark.line, 0) + 1, .column = std::max(mark.column, 0) + 1};
  }
  bool expects_key() const {
    return !frames_.empty() && frames_.back().node.kind == Node::Kind::map && !frames_.back().has_key;
  }
  void check(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor) const {
    if (anchor != YAML::NullAnchor)
      refuse(mark, "an anchor: anchors and aliases are not supported; write the value out");
    // "?" and "!" are the tags of plain and of quoted scalars.
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(mark, fmt::format("tag '{}': tags are not supported", tag.substr(0, 40)));
  }
  void take_key(const YAML::Mark& mark, const std::string& key) {
    Frame& frame = frames_.back();
    const Origin here = origin(mark);
    const auto [before, fresh] = frame.seen.try_emplace(key, here);
    if (!fresh)
      refuse(mark, fmt::format("key {} is given twice, first at {}", shown(Node::make_scalar(key)),
                               before->second.text()));
    frame.key = key;
    frame.key_origin = here;
    frame.has_key = true;
  }
  void open(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t anchor, Node::Kind kind) {
    check(mark, tag, anchor);
    if (expects_key()) refuse(mark, "a list or a map as a key, expected a name");
    if (static_cast<int>(frames_.size()) >= kMaxNodeDepth)
      refuse(mark, fmt::format("nested deeper than {} levels", kMaxNodeDepth));
    Frame frame;
    frame.node.kind = kind;
    frame.node.origin = origin(mark);
    frames_.push_back(std::move(frame));
  }
  void close() {
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    add(std::move(node));
  }
  void place(const YAML::Mark& mark, Node node) {
    node.origin = origin(mark);
    add(std::move(node));
  }
  void add(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.kind == Node::Kind::list) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    node.key_origin = frame.key_origin;
    frame.node.fields.emplace_back(std::move(frame.key), std::move(node));
    frame.has_key = false;
  }

  const std::string& source_;
  std::vector<Frame> frames_;
  Node root_;
  int documents_ = 0;
};

// yaml-cpp reads ahead: a thousand open brackets are all scanned before the first event. Plain counting
// refuses the deep ones before they cost time or stack; brackets inside quotes or comments may be counted
// too, hence the generous bound.
void refuse_bracket_tower(std::string_view text, const std::string& source) {
  constexpr int kTower = 4 * kMaxNodeDepth;
  int depth = 0, line = 1, column = 0;
  for (const char c : text) {
    ++column;
    if (c == '\n') {
      ++line;
      column = 0;
    }
    if (c == '[' || c == '{') ++depth;
    if ((c == ']' || c == '}') && depth > 0) --depth;
    if (depth > kTower)
      fail(ExitCode::usage, "{}:{}:{}: nested deeper than {} levels", source, line, column, kMaxNodeDepth);
  }
}

// yaml-cpp takes a quote that is still open at the end of the text for closed when a line break follows it.
// Without the break it complains; only in a block scalar (| or >) does the last break mean anything.
std::string_view without_last_breaks(std::string_view text) {
  if (text.find_first_of("|>") != std::string_view::npos) return text;
  return text.substr(0, text.find_last_not_of(" \t\r\n") + 1);
}

}  // namespace

Node parse_yaml(std::string_view text, const std::string& source) {
  if (text.size() > kMaxYamlBytes)
    fail(ExitCode::usage, "{}:1:1: {} bytes, at most {} are read as a recipe", source, text.size(),
         kMaxYamlBytes);
  if (const std::size_t nul = text.find('\0'); nul != std::string_view::npos)
    fail(ExitCode::usage, "{}:1:1: byte {} is NUL: this is not a text file", source, nul);
  refuse_bracket_tower(text, source);
  TreeBuilder builder(source);
  std::istringstream stream{std::string(without_last_breaks(text))};
  try {
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(builder)) {
    }
  } catch (const YAML::Exception& error) {
    builder.refuse(error.mark, error.msg);
  }
  return builder.take();
}

}  // namespace mgd
