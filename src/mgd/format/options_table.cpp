#include "mgd/format/options_table.h"

#include <fmt/core.h>

#include <algorithm>

namespace mgd {

namespace {

std::vector<std::string> wrap(const std::string& text, std::size_t width) {
  std::vector<std::string> lines = {""};
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    if (!lines.back().empty() && lines.back().size() + 1 + word.size() > width) lines.emplace_back();
    lines.back() += (lines.back().empty() ? "" : " ") + word;
    begin = end + 1;
  }
  return lines;
}

}  // namespace

std::string options_table(const std::vector<OptionInfo>& rows) {
  constexpr std::size_t kKey = 27, kType = 9, kDefault = 14, kHelp = 56;
  std::string text =
      fmt::format("{:<{}} {:<{}} {:<{}} {}\n", "key", kKey, "type", kType, "default", kDefault, "meaning");
  for (const OptionInfo& info : rows) {
    const std::string help = info.range.empty() ? info.help : info.help + " [" + info.range + "]";
    std::string left =
        fmt::format("{:<{}} {:<{}} {:<{}}", info.name, kKey, info.type, kType, info.default_value, kDefault);
    for (const std::string& line : wrap(help, kHelp)) {
      text += left + " " + line + "\n";
      left.assign(kKey + kType + kDefault + 2, ' ');
    }
  }
  return text;
}

}  // namespace mgd
