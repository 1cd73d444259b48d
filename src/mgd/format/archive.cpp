#include "mgd/format/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;

bool is_hidden(std::string_view component) {
  return component.starts_with(".") || component == "__MACOSX" || component == "Thumbs.db";
}

std::uint64_t checked_size(const std::string& where, std::uint64_t size, std::uint64_t max_bytes) {
  if (size > max_bytes)
    fail(ExitCode::bad_data, "{}: {} bytes, at most {} are allowed", where, size, max_bytes);
  return size;
}

class FolderTree : public FileTree {
 public:
  FolderTree(const fs::path& root, const WantedName& wanted, std::uint64_t max_bytes)
      : root_(root), max_bytes_(max_bytes) {
    std::error_code error;
    const fs::path canonical_root = fs::canonical(root, error);
    if (error) fail(ExitCode::io, "{}: {}", root.string(), error.message());
    auto it = fs::recursive_directory_iterator(root, error);
    for (; !error && it != fs::recursive_directory_iterator(); it.increment(error)) {
      if (is_hidden(it->path().filename().string())) {
        it.disable_recursion_pending();
        continue;
      }
      if (!it->is_symlink() && it->is_directory()) continue;
      const std::string name = it->path().lexically_relative(root).generic_string();
      check_file(*it, name, canonical_root);
      if (!wanted || wanted(name)) entries_.push_back({name, it->file_size()});
    }
    if (error) fail(ExitCode::io, "{}: {}", root.string(), error.message());
    std::sort(entries_.begin(), entries_.end(), [](auto& a, auto& b) { return a.name < b.name; });
  }

  const std::vector<ArchiveEntry>& entries() const override { return entries_; }

  std::string read(std::size_t index) const override {
    MGD_ASSERT(index < entries_.size());
    const fs::path path = root_ / entries_[index].name;
    const OpenFile file(path.string());
    return file.read(0, checked_size(path.string(), file.size(), max_bytes_), path.string());
  }

 private:
  void check_file(const fs::directory_entry& entry, const std::string& name, const fs::path& canonical_root) {
    std::error_code error;
    if (!entry.is_regular_file(error))
      fail(ExitCode::refused, "{}: '{}' is neither a file nor a folder (broken or folder link, or device)",
           root_.string(), name);
    if (!entry.is_symlink()) return;
    const std::string target = fs::canonical(entry.path(), error).lexically_relative(canonical_root).string();
    if (error || target.empty() || target.starts_with(".."))
      fail(ExitCode::refused, "{}: '{}' is a link out of the folder", root_.string(), name);
  }

  fs::path root_;
  std::uint64_t max_bytes_;
  std::vector<ArchiveEntry> entries_;
};

}  // namespace

OpenFile::OpenFile(const std::string& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) fail(ExitCode::missing_input, "{}: no such file", path);
    fail(ExitCode::io, "{}: {}", path, std::strerror(errno));
  }
  // Opening a FIFO may wait for ever and a device may never end, so this is asked first.
  if (!S_ISREG(status.st_mode)) fail(ExitCode::refused, "{}: not a regular file", path);
  fd_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd_ < 0 || ::fstat(fd_, &status) != 0) {
    const int code = errno;
    if (fd_ >= 0) ::close(fd_);
    fail(ExitCode::io, "{}: {}", path, std::strerror(code));
  }
  size_ = static_cast<std::uint64_t>(status.st_size);
}

OpenFile::~OpenFile() {
  ::close(fd_);
}

std::string OpenFile::read(std::uint64_t offset, std::uint64_t size, const std::string& what) const {
  if (offset > size_ || size > size_ - offset) fail(ExitCode::bad_data, "{}: truncated", what);
  std::string out(size, '\0');
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::pread(fd_, out.data() + done, size - done, static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(ExitCode::io, "{}: {}", what, std::strerror(errno));
    if (got == 0) fail(ExitCode::io, "{}: cut short while it was read", what);
    done += static_cast<std::size_t>(got);
  }
  return out;
}

std::string safe_entry_name(const std::string& archive, const std::string_view full_name) {
  std::string_view name = full_name;
  const auto refuse = [&](const char* why) {
    fail(ExitCode::refused, "{}: entry '{}' refused: {}", archive, printable(full_name), why);
  };
  if (name.starts_with("/") || name.find('\\') != name.npos) refuse("absolute name or backslash");
  if (name.find('\0') != name.npos) refuse("NUL in the name");
  std::string out;
  bool hidden = false;
  while (!name.empty()) {
    const auto slash = name.find('/');
    const std::string_view component = name.substr(0, slash);
    name.remove_prefix(slash == name.npos ? name.size() : slash + 1);
    if (component.empty() || component == ".") continue;
    if (component == "..") refuse("leads out of the archive");
    hidden = hidden || is_hidden(component);
    if (!out.empty()) out += '/';
    out += component;
  }
  return hidden ? std::string() : out;
}

std::unique_ptr<FileTree> open_file_tree(const std::string& path, const WantedName& wanted,
                                         std::uint64_t max_bytes) {
  std::error_code error;
  if (!fs::exists(path, error)) fail(ExitCode::missing_input, "{}: no such file or folder", path);
  if (fs::is_directory(path, error)) return std::make_unique<FolderTree>(path, wanted, max_bytes);
  return open_tar(path, wanted, max_bytes);
}

}  // namespace mgd
