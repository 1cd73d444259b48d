#include "mgd/data/text_files.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mgd {

namespace {

constexpr std::array<std::string_view, 5> kEndings = {".txt", ".jsonl", ".ndjson", ".csv", ".tsv"};

std::vector<fs::path> files_below(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const auto& entry :
       fs::recursive_directory_iterator(folder, fs::directory_options::skip_permission_denied)) {
    const std::string ending = entry.path().extension().string();
    if (entry.is_regular_file() && std::find(kEndings.begin(), kEndings.end(), ending) != kEndings.end())
      files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

}  // namespace

std::vector<fs::path> split_files(const fs::path& folder, const std::string& name) {
  const fs::path plain = folder / name;
  std::error_code error;
  if (fs::is_directory(plain, error)) return files_below(plain);
  if (fs::exists(plain, error)) return {plain};
  for (const std::string_view ending : kEndings)
    if (const fs::path file = plain.string() + std::string(ending); fs::exists(file, error)) return {file};
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
