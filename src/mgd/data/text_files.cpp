#include "mgd/data/text_files.h"

#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "mgd/format/text_stream.h"

namespace mgd {

namespace {

constexpr std::array<std::string_view, 5> kEndings = {".txt", ".jsonl", ".ndjson", ".csv", ".tsv"};

constexpr std::array<std::string_view, 5> kCompressions = {"", ".gz", ".zst", ".xz", ".bz2"};

std::vector<fs::path> files_below(const fs::path& folder, std::map<std::string, std::int64_t>* unread) {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    if (!entry.is_regular_file()) continue;
    if (std::find(kEndings.begin(), kEndings.end(), text_ending(entry.path())) != kEndings.end())
      files.push_back(entry.path());
    else if (unread != nullptr)
      ++(*unread)[entry.path().extension().string()];
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<fs::path> split_files(const fs::path& folder, const std::string& name,
                                  std::map<std::string, std::int64_t>* unread) {
  const fs::path plain = folder / name;
  std::error_code error;
  if (fs::is_directory(plain, error)) return files_below(plain, unread);
  if (fs::exists(plain, error)) return {plain};
  for (const std::string_view ending : kEndings)
    for (const std::string_view compression : kCompressions) {
      const fs::path file = fmt::format("{}{}{}", plain.string(), ending, compression);
      if (fs::exists(file, error)) return {file};
    }
  return {};
}

std::vector<std::string> names_in(const fs::path& folder) {
  constexpr std::size_t kMost = 20;
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(folder, error), end; !error && it != end && names.size() < kMost;
       it.increment(error))
    names.push_back(it->path().filename().string());
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace mgd
