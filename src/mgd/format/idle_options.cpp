#include "mgd/format/idle_options.h"

#include "mgd/core/error.h"

namespace mgd {

void refuse_idle_impl(const Node& entry, const std::string& where, const Node& given, const Node& defaults,
                      std::initializer_list<IdleOption> rules) {
  for (const IdleOption& rule : rules) {
    const Node* const value = given.find(rule.key);
    MGD_ASSERT(value != nullptr);
    const std::string text = to_yaml_flow(*value);
    if (!rule.idle || text == to_yaml_flow(*defaults.find(rule.key))) continue;
    const Node* const written = entry.find(rule.key);
    fail(ExitCode::usage, "{}: {}: {}: got {}, which changes nothing: {}; leave it out",
         (written != nullptr ? written->origin : entry.origin).text(), where, rule.key, printable(text),
         rule.why);
  }
}

}  // namespace mgd
