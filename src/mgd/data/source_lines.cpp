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

namespace {

// `first` names the first of `count`, or all of them.
std::vector<std::string> counted_lines(std::int64_t count, std::int64_t of, const std::string& unit,
                                       const std::string& fate,
                                       const std::map<std::string, std::string>& first) {
  constexpr std::int64_t kMost = 5;
  std::vector<std::string> lines;
  if (count == 0) return lines;
  lines.push_back(fmt::format("{} of {} {} could not be read and {} {}:", count, of, unit,
                              count == 1 ? "was" : "were", fate));
  std::int64_t named = 0;
  for (const auto& [name, what] : first) {
    if (named == kMost) break;
    lines.push_back(fmt::format("  {}: {}", printable(name), printable(what)));
    ++named;
  }
  if (named < count) lines.push_back(fmt::format("  ... and {} more", count - named));
  return lines;
}

}  // namespace

std::vector<std::string> unread_lines(const std::map<std::string, std::string>& corrupt, std::int64_t samples,
                                      const std::string& fate) {
  return counted_lines(static_cast<std::int64_t>(corrupt.size()), samples, "samples", fate, corrupt);
}

std::vector<std::string> unread_lines(const UnreadDocuments& unread) {
  return counted_lines(unread.documents, unread.of, "documents of " + printable(unread.where), "left out",
                       unread.first);
}

}  // namespace mgd
