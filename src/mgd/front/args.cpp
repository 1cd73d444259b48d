#include "mgd/front/args.h"

#include <CLI/CLI.hpp>
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/options_table.h"
#include "mgd/front/text.h"

#ifndef MGD_VERSION
#define MGD_VERSION "0.1.0"
#endif

namespace mgd {

namespace {

std::string flag_name(const std::string& option) {
  std::string flag = "--" + option;
  std::replace(flag.begin() + 2, flag.end(), '_', '-');
  return flag;
}

void visit_function(void* options, OptionVisitor& v) {
  (*static_cast<std::function<void(OptionVisitor&)>*>(options))(v);
}

// CLI11 splits the words; types, ranges and messages are those of the options themselves.
class FlagParser {
 public:
  explicit FlagParser(const Verb& verb) : infos_(describe_flags(verb)) {
    app_.set_help_flag();
    app_.allow_extras();
    for (const OptionInfo& info : infos_) {
      const std::string flag = flag_name(info.name);
      flags_.push_back(flag);
      if (info.type == "bool") {
        const bool on = info.default_value == "true";
        options_.push_back(app_.add_flag(on ? flag + ",!--no-" + flag.substr(2) : flag));
      } else {
        // One value a flag; "[a,b]" stays one value (CLI11 would split it).
        options_.push_back(app_.add_option(flag)->expected(1)->allow_extra_args(false)->multi_option_policy(
            CLI::MultiOptionPolicy::TakeAll));
      }
    }
  }

  // Fills the verb's options and returns the positionals.
  std::vector<std::string> parse(const Verb& verb, std::vector<std::string> words) {
    const auto end_of_flags = std::find(words.begin(), words.end(), "--");
    const std::vector<std::string> after(end_of_flags == words.end() ? end_of_flags : end_of_flags + 1,
                                         words.end());
    words.erase(end_of_flags, words.end());
    require_values(verb, words);
    std::reverse(words.begin(), words.end());  // CLI11 takes them from the back
    try {
      app_.parse(words);
    } catch (const CLI::ParseError& error) {
      fail(ExitCode::usage, "mgd {}: {}; see mgd {} --help", verb.name, error.what(), verb.name);
    }
    std::vector<std::string> positionals;
    for (const std::string& word : app_.remaining()) {
      if (word.size() > 1 && word.front() == '-') unknown_flag(verb, word);
      positionals.push_back(word);
    }
    positionals.insert(positionals.end(), after.begin(), after.end());
    if (verb.options) {
      auto options = verb.options;
      const Node given = tree();
      read_options_impl(given, "", {}, &visit_function, &options);
    }
    return positionals;
  }

 private:
  // A value that is missing would swallow the next flag as its value.
  void require_values(const Verb& verb, const std::vector<std::string>& words) const {
    for (std::size_t i = 0; i < words.size(); ++i) {
      const auto flag = std::find(flags_.begin(), flags_.end(), words[i]);
      if (flag == flags_.end()) continue;
      const OptionInfo& info = infos_[static_cast<std::size_t>(flag - flags_.begin())];
      if (info.type == "bool") continue;
      if (i + 1 == words.size() || words[i + 1].starts_with("--"))
        fail(ExitCode::usage, "mgd {}: {} needs a value ({}{})", verb.name, words[i], info.type,
             info.range.empty() ? "" : ", " + info.range);
      ++i;
    }
  }

  [[noreturn]] void unknown_flag(const Verb& verb, const std::string& word) const {
    const std::string flag = word.substr(0, word.find('='));
    std::vector<std::string> known = flags_;
    known.emplace_back("--help");
    std::string hint = suggestion(flag, known);
    if (flag.find('.') != std::string::npos)
      hint = fmt::format("; keys of a recipe go without dashes: {}", word.substr(2));
    fail(ExitCode::usage, "mgd {}: unknown flag {}{}", verb.name, shown(Node::make_scalar(flag)), hint);
  }

  Node tree() const {
    Node root = Node::make_map();
    for (std::size_t i = 0; i < infos_.size(); ++i) {
      if (options_[i]->count() == 0) continue;
      const std::vector<std::string>& values = options_[i]->results();
      const bool list = infos_[i].type.ends_with('s');  // texts, integers, numbers, entries
      Node node = Node::make_list();
      for (const std::string& value : values) {
        // A switch counts as true however often it is given; CLI11 accepts --quiet=VALUE too.
        std::string text = value;
        if (infos_[i].type == "bool" && text.empty()) text = "true";
        Node item = Node::make_scalar(text);
        item.origin.source = flags_[i];
        node.items.push_back(std::move(item));
      }
      node.origin.source = flags_[i];
      root.set(infos_[i].name, list ? std::move(node) : std::move(node.items.back()));
    }
    return root;
  }

  std::vector<OptionInfo> infos_;
  std::vector<std::string> flags_;  // as typed, beside infos_
  std::vector<CLI::Option*> options_;
  CLI::App app_;
};

std::string flag_row(const OptionInfo& info, std::size_t width) {
  const bool is_bool = info.type == "bool";
  const bool on = is_bool && info.default_value == "true";
  std::string left = "  " + (on ? "--no-" + flag_name(info.name).substr(2) : flag_name(info.name));
  const bool choices = info.range.starts_with("one of ");
  if (!is_bool) {
    left += info.type.starts_with("integer") ? " N" : info.type.starts_with("number") ? " X" : " TEXT";
    if (info.type.ends_with('s')) left += " ...";
  }
  std::string help = on ? "switch off: " + info.help : info.help;
  if (!info.range.empty()) help += " [" + (choices ? info.range.substr(7) : info.range) + "]";
  const bool worth_telling =
      info.default_value != "\"\"" && info.default_value != "[]" && info.default_value != "-1";
  if (!is_bool && worth_telling) help += " (" + info.default_value + ")";
  return wrapped(left, width, help);
}

[[noreturn]] void unknown_verb(const std::vector<Verb>& verbs, const std::string& name) {
  std::vector<std::string> known;
  for (const Verb& verb : verbs) known.push_back(verb.name);
  if (name.size() > 1 && name.front() == '-')
    fail(ExitCode::usage, "mgd: unknown flag {}; flags stand after the verb: mgd VERB ... {}",
         shown(Node::make_scalar(name)), name);
  fail(ExitCode::usage, "mgd: unknown verb {}{}", shown(Node::make_scalar(name)), suggestion(name, known));
}

const Verb& find_verb(const std::vector<Verb>& verbs, const std::string& name) {
  for (const Verb& verb : verbs)
    if (verb.name == name) return verb;
  unknown_verb(verbs, name);
}

// A name may be that of a verb and of a topic, as `train` is.
std::string help_of(const std::vector<Verb>& verbs, const std::vector<HelpTopic>& topics,
                    const std::string& name) {
  std::string text;
  std::vector<std::string> known;
  for (const Verb& verb : verbs) {
    known.push_back(verb.name);
    if (verb.name == name) text += verb_help(verb);
  }
  for (const HelpTopic& topic : topics) {
    known.push_back(topic.name);
    if (topic.name == name) text += (text.empty() ? "" : "\n") + topic_help(topic);
  }
  if (text.empty())
    fail(ExitCode::usage, "mgd help: got {}, expected a verb or a topic{}", shown(Node::make_scalar(name)),
         suggestion(name, known));
  return text;
}

void check_positionals(const Verb& verb, const std::vector<std::string>& positionals) {
  if (verb.positional_name.empty() && !positionals.empty())
    fail(ExitCode::usage, "mgd {}: got {}, expected flags only; see mgd {} --help", verb.name,
         shown(Node::make_scalar(positionals.front())), verb.name);
  if (verb.positional_required && positionals.empty())
    fail(ExitCode::usage, "mgd {}: {} is missing; e.g. {}", verb.name, verb.positional_name, verb.example);
  if (verb.positional_max >= 0 && static_cast<std::int64_t>(positionals.size()) > verb.positional_max)
    fail(ExitCode::usage, "mgd {}: got {} too many; expected {}", verb.name,
         shown(Node::make_scalar(positionals[static_cast<std::size_t>(verb.positional_max)])),
         verb.positional_name);
}

bool asks_for_help(const std::vector<std::string>& words) {
  for (const std::string& word : words) {
    if (word == "--") return false;
    if (word == "--help" || word == "-h") return true;
  }
  return false;
}

}  // namespace

std::vector<OptionInfo> describe_flags(const Verb& verb) {
  if (!verb.options) return verb.described;
  auto options = verb.options;
  return describe_options_impl(&visit_function, &options);
}

std::string verb_help(const Verb& verb) {
  const std::vector<OptionInfo> infos = describe_flags(verb);
  std::string text = "mgd " + verb.name;
  if (!verb.positional_name.empty()) text += " " + verb.positional_name;
  text += infos.empty() ? "\n" : " [--flag ...]\n";
  text += wrapped("", 2, verb.help);
  constexpr std::size_t kWidth = 24;
  if (!verb.positional_help.empty()) {
    const std::string first = verb.positional_name.substr(0, verb.positional_name.find(' '));
    text += "\n" + wrapped("  " + first, kWidth, verb.positional_help);
  }
  if (!infos.empty()) text += "\n";
  for (const OptionInfo& info : infos) text += flag_row(info, kWidth);
  if (!verb.example.empty()) text += "\nexample: " + verb.example + "\n";
  return text;
}

std::string topic_help(const HelpTopic& topic) {
  std::string text = wrapped(topic.name, topic.name.size() + 2, topic.help);
  std::size_t width = 0;
  for (const auto& [name, help] : topic.parts) width = std::max(width, name.size() + 4);
  if (!topic.parts.empty()) text += "\n";
  for (const auto& [name, help] : topic.parts) text += wrapped("  " + name, width, help);
  if (!topic.parts.empty()) text += "\nmgd help NAME explains one of them\n";
  if (!topic.options.empty()) text += "\n" + options_table(topic.options);
  return text;
}

std::string general_help(const std::vector<Verb>& verbs, const std::vector<HelpTopic>& topics) {
  std::string text =
      "mgd: small networks from big ones by masked generative distillation\n\n  mgd VERB ... [--flag "
      "...]\n\n";
  std::size_t width = 0;
  for (const Verb& verb : verbs) width = std::max(width, verb.name.size() + 4);
  for (const Verb& verb : verbs) text += wrapped("  " + verb.name, width, verb.help);
  text += "\nmgd VERB --help explains one; mgd --version prints the version\n";
  std::string names;
  for (const HelpTopic& topic : topics) names += (names.empty() ? "" : " ") + topic.name;
  if (!names.empty()) text += "\n" + wrapped("mgd help TOPIC:", 16, names);
  return text;
}

int run_command_line(const std::vector<Verb>& verbs, int argc, const char* const* argv,
                     const std::vector<HelpTopic>& topics) {
  std::vector<std::string> words(argv + std::min(argc, 1), argv + argc);
  const bool asks_in_general = words.empty() || words.front() == "--help" || words.front() == "-h";
  if (asks_in_general || words == std::vector<std::string>{"help"}) {
    fmt::print("{}", general_help(verbs, topics));
    return 0;
  }
  if (words.front() == "--version") {
    fmt::print("mgd " MGD_VERSION "\n");
    return 0;
  }
  if (words.front() == "help") {
    fmt::print("{}", help_of(verbs, topics, words[1]));
    return 0;
  }
  const Verb& verb = find_verb(verbs, words.front());
  words.erase(words.begin());
  if (asks_for_help(words)) {
    fmt::print("{}", verb_help(verb));
    return 0;
  }
  FlagParser parser(verb);
  const std::vector<std::string> positionals = parser.parse(verb, std::move(words));
  check_positionals(verb, positionals);
  return verb.run(positionals);
}

}  // namespace mgd
