#include "mgd/data/source_lines.h"

#include "mgd/core/error.h"

namespace mgd {

std::string unused_text(const std::map<std::string, std::int64_t>& unused) {
  std::string text;
  for (const auto& [kind, count] : unused)
    text += fmt::format("{}{} {}", text.empty() ? "" : ", ", count, printable(kind));
  return text;
}

std::vector<std::string> source_lines(const ImageSource& source) {
  std::vector<std::string> lines;
  for (const auto& note : source.notes()) lines.push_back(fmt::format("{:<10} {}", "", note));
  if (const auto unused = source.unused_files(); !unused.empty())
    lines.push_back(fmt::format("{:<10} files not used: {}", "", unused_text(unused)));
  return lines;
}

std::vector<std::string> unread_lines(const std::map<std::string, std::string>& corrupt, std::int64_t samples,
                                      const std::string& fate) {
  constexpr std::size_t kMost = 5;
  std::vector<std::string> lines;
  if (corrupt.empty()) return lines;
  lines.push_back(fmt::format("{} of {} samples could not be read and {} {}:", corrupt.size(), samples,
                              corrupt.size() == 1 ? "was" : "were", fate));
  for (const auto& [name, what] : corrupt) {
    if (lines.size() > kMost) {
      lines.push_back(fmt::format("  ... and {} more", corrupt.size() - kMost));
      break;
    }
    lines.push_back(fmt::format("  {}: {}", printable(name), printable(what)));
  }
  return lines;
}

}  // namespace mgd
