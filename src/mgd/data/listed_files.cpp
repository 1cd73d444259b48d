// A text file of paths as a FileTree.
#include <algorithm>
#include <map>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class ListedFiles final : public FileTree {
 public:
  explicit ListedFiles(const std::string& path) {
    std::map<std::string, std::int64_t> lines;  // by name: where it stands
    std::int64_t number = 0;
    const std::string text = read_file(path);
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t end = std::min(text.find('\n', at), text.size());
      std::string name = text.substr(at, end - at);
      at = end + 1, ++number;
      if (name.ends_with('\r')) name.pop_back();
      if (name.empty()) continue;
      const std::string where = fmt::format("{}:{}", path, number);
      if (!is_picture_name(name))
        fail(ExitCode::bad_data, "{}: '{}' names no picture ({})", where, printable(name), picture_endings());
      if (const auto [known, fresh] = lines.emplace(name, number); !fresh)
        fail(ExitCode::bad_data, "{}: '{}' stands in line {} already", where, printable(name), known->second);
      const fs::path file = fs::path(path).parent_path() / name;
      std::error_code error;
      const auto size = fs::file_size(file, error);
      if (error)
        fail(ExitCode::missing_input, "{}: {}: {}", where, printable(file.string()), error.message());
      entries_.push_back({.name = name, .size = size});
      files_[name] = file.string();
    }
    std::sort(entries_.begin(), entries_.end(), [](auto& a, auto& b) { return a.name < b.name; });
  }

  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  const std::vector<std::string>& others() const override { return none_; }
  const std::vector<std::string>& folders() const override { return none_; }
  std::string read(std::size_t index) const override {
    constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;
    return read_file(path_of(index), kMostBytes);
  }
  std::string read_start(std::size_t index, std::size_t most) const override {
    const OpenFile file(path_of(index));
    return file.read(0, std::min<std::uint64_t>(file.size(), most), path_of(index));
  }

 private:
  const std::string& path_of(std::size_t index) const { return files_.at(entries_.at(index).name); }
  std::vector<ArchiveEntry> entries_;
  std::map<std::string, std::string> files_;
  std::vector<std::string> none_;
};

}  // namespace

std::unique_ptr<FileTree> open_list(const std::string& path) {
  return std::make_unique<ListedFiles>(path);
}

}  // namespace mgd
