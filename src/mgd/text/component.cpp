#include "mgd/text/component.h"

#include "mgd/core/error.h"

namespace mgd {

Regex read_pattern(const JsonPlace& json) {
  if (const auto text = json.find("String")) return Regex::literal(text->text(), text->place());
  const JsonPlace pattern = json.at("Regex");
  return {pattern.text(), pattern.place()};
}

void refuse_component(const JsonPlace& json, const std::string& type, std::string_view stage,
                      const std::vector<std::string>& known) {
  json.refuse(fmt::format("the {} '{}' is not supported{}", stage, printable(type), suggestion(type, known)));
}

}  // namespace mgd
