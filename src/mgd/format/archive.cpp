#include "mgd/format/archive.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {

namespace fs = std::filesystem;

bool is_hidden_name(std::string_view component) {
  return component.starts_with(".") || component == "__MACOSX" || component == "Thumbs.db";
}

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
    hidden = hidden || is_hidden_name(component);
    if (!out.empty()) out += '/';
    out += component;
  }
  return hidden ? std::string() : out;
}

std::unique_ptr<FileTree> open_file_tree(const std::string& path, const WantedName& wanted,
                                         std::uint64_t max_bytes) {
  std::error_code error;
  if (!fs::exists(path, error)) fail(ExitCode::missing_input, "{}: no such file or folder", path);
  if (fs::is_directory(path, error)) return open_folder(path, wanted, max_bytes);
  return open_packed(path, wanted, max_bytes);
}

}  // namespace mgd
