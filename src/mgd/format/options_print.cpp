// Writing and describing: visitors over the same declarations that reading uses.
#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {

namespace {

Node node_of(bool value) {
  return Node::make_scalar(value ? "true" : "false");
}
Node node_of(std::int64_t value) {
  return Node::make_scalar(std::to_string(value));
}
Node node_of(double value) {
  return Node::make_scalar(number_text(value));
}
Node node_of(const std::string& value) {
  return Node::make_scalar(value);
}

Node node_of(const std::vector<NamedNumber>& values) {
  Node map = Node::make_map();
  for (const auto& [name, number] : values) map.set(name, node_of(number));
  return map;
}

template <class T>
Node node_of(const std::vector<T>& values) {
  Node list = Node::make_list();
  for (const T& value : values) list.items.push_back(node_of(value));
  return list;
}

const char* type_of(const bool&) {
  return "bool";
}
const char* type_of(const std::int64_t&) {
  return "integer";
}
const char* type_of(const double&) {
  return "number";
}
const char* type_of(const std::string&) {
  return "text";
}
const char* type_of(const std::vector<std::string>&) {
  return "texts";
}
const char* type_of(const std::vector<std::int64_t>&) {
  return "integers";
}
const char* type_of(const std::vector<double>&) {
  return "numbers";
}
const char* type_of(const std::vector<NamedNumber>&) {
  return "map";
}

// One function for every type of option, given the value as a node and the name of its type.
class EachOption : public OptionVisitor {
 public:
  virtual void each(const char* name, const char* type, Node value, const OptionSpec& spec) = 0;

  void option(const char* name, bool& value, const OptionSpec& spec) override { pass(name, value, spec); }
  void option(const char* name, std::int64_t& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void option(const char* name, double& value, const OptionSpec& spec) override { pass(name, value, spec); }
  void option(const char* name, std::string& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void option(const char* name, std::vector<std::string>& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void option(const char* name, std::vector<std::int64_t>& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void option(const char* name, std::vector<double>& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void option(const char* name, std::vector<NamedNumber>& value, const OptionSpec& spec) override {
    pass(name, value, spec);
  }
  void entries(const char* name, std::vector<Node>& value, const OptionSpec& spec) override {
    Node list = Node::make_list();
    list.items = value;
    each(name, "entries", std::move(list), spec);
  }

 private:
  template <class T>
  void pass(const char* name, T& value, const OptionSpec& spec) {
    each(name, type_of(value), node_of(value), spec);
  }
};

class OptionWriter : public EachOption {
 public:
  void each(const char* name, const char*, Node value, const OptionSpec&) override {
    maps_.back().second.set(name, std::move(value));
  }
  Node take() { return std::move(maps_.front().second); }

 protected:
  bool begin_group(const char* name, const OptionSpec&, const char*) override {
    maps_.emplace_back(name, Node::make_map());
    return true;
  }
  void end_group() override {
    auto [name, map] = std::move(maps_.back());
    maps_.pop_back();
    maps_.back().second.set(name, std::move(map));
  }

 private:
  std::vector<std::pair<std::string, Node>> maps_ = {{"", Node::make_map()}};
};

class OptionDescriber : public EachOption {
 public:
  void each(const char* name, const char* type, Node value, const OptionSpec& spec) override {
    rows.push_back({.name = join_path(groups_.empty() ? "" : groups_.back(), name),
                    .type = type,
                    .default_value = to_yaml_flow(value),
                    .range = range_text(spec),
                    .help = spec.help});
  }
  std::vector<OptionInfo> rows;

 protected:
  bool begin_group(const char* name, const OptionSpec&, const char*) override {
    groups_.push_back(join_path(groups_.empty() ? "" : groups_.back(), name));
    return true;
  }
  void end_group() override { groups_.pop_back(); }

 private:
  std::vector<std::string> groups_;
};

}  // namespace

Node write_options_impl(void (*visit)(void* options, OptionVisitor& v), void* options) {
  OptionWriter writer;
  visit(options, writer);
  return writer.take();
}

std::vector<OptionInfo> describe_options_impl(void (*visit)(void* options, OptionVisitor& v), void* options) {
  OptionDescriber describer;
  visit(options, describer);
  return std::move(describer.rows);
}

}  // namespace mgd
