// A folder as a FileTree. Links are followed: people keep their pictures once and link them into data sets.
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;

// A folder above the one that is being read: a link back to it is a loop.
struct Above {
  dev_t device;
  ino_t inode;
  std::string name;
};

class FolderTree : public FileTree {
 public:
  FolderTree(const std::string& root, const WantedName& wanted, std::uint64_t max_bytes)
      : root_(root), max_bytes_(max_bytes), wanted_(wanted) {
    struct stat status {};
    if (::stat(root.c_str(), &status) != 0) fail(ExitCode::io, "{}: {}", root, std::strerror(errno));
    scan({{status.st_dev, status.st_ino, "."}});
    wanted_ = {};
    std::sort(entries_.begin(), entries_.end(), [](auto& a, auto& b) { return a.name < b.name; });
    std::sort(folders_.begin(), folders_.end());
  }

  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  const std::vector<std::string>& others() const override { return others_; }
  const std::vector<std::string>& folders() const override { return folders_; }

  std::string read(std::size_t index) const override {
    const OpenFile file(path_of(index));
    if (file.size() > max_bytes_)
      fail(ExitCode::bad_data, "{}: {} bytes, at most {} are allowed", path_of(index), file.size(),
           max_bytes_);
    return file.read(0, file.size(), path_of(index));
  }

  std::string read_start(std::size_t index, std::size_t most) const override {
    const OpenFile file(path_of(index));
    return file.read(0, std::min<std::uint64_t>(file.size(), most), path_of(index));
  }

 private:
  std::string path_of(std::size_t index) const {
    MGD_ASSERT(index < entries_.size());
    return (root_ / entries_[index].name).string();
  }

  // The folder above.back(); its name is "." for the root.
  void scan(const std::vector<Above>& above) {
    constexpr std::size_t kDeepest = 64;
    const std::string folder = above.size() == 1 ? "" : above.back().name;
    if (above.size() > kDeepest)
      fail(ExitCode::refused, "{}: folders lie more than {} deep: '{}'", root_.string(), kDeepest,
           printable(folder));
    std::error_code error;
    auto it = fs::directory_iterator(root_ / folder, error);
    for (; !error && it != fs::directory_iterator(); it.increment(error)) {
      const std::string base = it->path().filename().string();
      if (!is_hidden_name(base)) add(*it, folder.empty() ? base : folder + "/" + base, above);
    }
    if (error) fail(ExitCode::io, "{}: {}", (root_ / folder).string(), error.message());
  }

  void add(const fs::directory_entry& entry, const std::string& name, const std::vector<Above>& above) {
    struct stat status {};
    std::error_code ignored;
    const bool linked = entry.is_symlink(ignored);
    if (::stat(entry.path().c_str(), &status) != 0) {
      if (linked && errno == ELOOP) refuse_loop(name, "itself");
      if (!linked || errno != ENOENT)
        fail(ExitCode::io, "{}: {}", entry.path().string(), std::strerror(errno));
      if (!wanted_ || wanted_(name))
        fail(ExitCode::missing_input, "{}: '{}' is a link to '{}', which is not there", root_.string(),
             printable(name), printable(fs::read_symlink(entry.path(), ignored).string()));
      others_.push_back(name);
      return;
    }
    if (S_ISDIR(status.st_mode)) {
      add_folder(name, {status.st_dev, status.st_ino, name}, linked, above);
    } else if (!S_ISREG(status.st_mode)) {
      fail(ExitCode::refused, "{}: '{}' is neither a file nor a folder, but a device, pipe or socket",
           root_.string(), printable(name));
    } else if (!wanted_ || wanted_(name)) {
      entries_.push_back({name, static_cast<std::uint64_t>(status.st_size)});
    } else {
      others_.push_back(name);
    }
  }

  void add_folder(const std::string& name, const Above& self, bool linked, std::vector<Above> above) {
    for (const Above& outer : above)
      if (outer.device == self.device && outer.inode == self.inode)
        refuse_loop(name, "'" + printable(outer.name) + "'");
    // Links beside each other can double the folders at every depth, without a loop.
    constexpr std::size_t kMostLinks = 50'000;
    if (linked && ++links_ > kMostLinks)
      fail(ExitCode::refused, "{}: more than {} links to folders, '{}' among them", root_.string(),
           kMostLinks, printable(name));
    folders_.push_back(name);
    above.push_back(self);
    scan(above);
  }

  [[noreturn]] void refuse_loop(const std::string& name, const std::string& target) const {
    fail(ExitCode::refused,
         "{}: '{}' is a link that leads back to {}: a loop without an end; remove the link", root_.string(),
         printable(name), target);
  }

  fs::path root_;
  std::uint64_t max_bytes_;
  WantedName wanted_;
  std::size_t links_ = 0;
  std::vector<ArchiveEntry> entries_;
  std::vector<std::string> folders_, others_;
};

}  // namespace

std::unique_ptr<FileTree> open_folder(const std::string& path, const WantedName& wanted,
                                      std::uint64_t max_bytes) {
  return std::make_unique<FolderTree>(path, wanted, max_bytes);
}

}  // namespace mgd
