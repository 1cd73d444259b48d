#include "mgd/front/command_table.h"

#include <nlohmann/json.hpp>

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

json options_json(const std::vector<OptionInfo>& options) {
  json rows = json::array();
  for (const OptionInfo& o : options)
    rows.push_back({{"name", o.name},
                    {"type", o.type},
                    {"default", o.default_value},
                    {"range", o.range},
                    {"help", o.help}});
  return rows;
}

std::vector<OptionInfo> parse_options(const json& rows) {
  std::vector<OptionInfo> options;
  for (const json& row : rows)
    options.push_back({.name = row.at("name"),
                       .type = row.at("type"),
                       .default_value = row.at("default"),
                       .range = row.at("range"),
                       .help = row.at("help")});
  return options;
}

json verb_json(const Verb& verb) {
  return {{"name", verb.name},
          {"help", verb.help},
          {"example", verb.example},
          {"positional_name", verb.positional_name},
          {"positional_help", verb.positional_help},
          {"positional_required", verb.positional_required},
          {"positional_max", verb.positional_max},
          {"flags", options_json(describe_flags(verb))}};
}

Verb parse_verb(const json& object) {
  return {.name = object.at("name"),
          .help = object.at("help"),
          .example = object.at("example"),
          .positional_name = object.at("positional_name"),
          .positional_help = object.at("positional_help"),
          .positional_required = object.at("positional_required"),
          .positional_max = object.at("positional_max"),
          .described = parse_options(object.at("flags"))};
}

}  // namespace

std::string command_table_json(const std::vector<Verb>& verbs, const std::vector<HelpTopic>& topics) {
  json table{{"verbs", json::array()}, {"topics", json::array()}};
  for (const Verb& verb : verbs) table["verbs"].push_back(verb_json(verb));
  for (const HelpTopic& topic : topics)
    table["topics"].push_back({{"name", topic.name},
                               {"help", topic.help},
                               {"options", options_json(topic.options)},
                               {"parts", topic.parts}});
  return table.dump(1) + "\n";
}

CommandTable parse_command_table(std::string_view text) {
  const json table = json::parse(text);
  CommandTable parsed;
  for (const json& verb : table.at("verbs")) parsed.verbs.push_back(parse_verb(verb));
  for (const json& topic : table.at("topics"))
    parsed.topics.push_back({.name = topic.at("name"),
                             .help = topic.at("help"),
                             .options = parse_options(topic.at("options")),
                             .parts = topic.at("parts")});
  return parsed;
}

}  // namespace mgd
