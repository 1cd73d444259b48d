#include "mgd/core/input_file.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "mgd/core/error.h"

namespace mgd {

InputFile::InputFile(fs::path path) : path_(std::move(path)) {
  require_regular_file(path_);
  // Non-blocking, and asked again on the descriptor: the path may have become a FIFO in between.
  descriptor_ = Descriptor(path_, O_RDONLY | O_NONBLOCK);
  struct stat info {};
  if (!descriptor_.is_open() || ::fstat(descriptor_.get(), &info) != 0)
    fail(errno == ENOENT ? ExitCode::missing_input : ExitCode::io, "{}: {}", path_.string(),
         std::strerror(errno));
  if (!S_ISREG(info.st_mode)) fail(ExitCode::refused, "{}: not a regular file", path_.string());
  size_ = static_cast<std::uint64_t>(info.st_size);
}

std::size_t InputFile::read(char* buffer, std::size_t capacity) const {
  while (true) {
    const auto n = ::read(descriptor_.get(), buffer, capacity);
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR) fail(ExitCode::io, "{}: read failed: {}", path_.string(), std::strerror(errno));
  }
}

void InputFile::read_at(std::uint64_t offset, void* buffer, std::size_t size) const {
  auto* out = static_cast<char*>(buffer);
  while (size > 0) {
    const auto n = ::pread(descriptor_.get(), out, size, static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ExitCode::io, "{}: read failed: {}", path_.string(), std::strerror(errno));
    if (n == 0)
      fail(ExitCode::io, "{}: cut short while it is in use: it ends before byte {}", path_.string(),
           offset + size);
    out += n;
    offset += static_cast<std::uint64_t>(n);
    size -= static_cast<std::size_t>(n);
  }
}

}  // namespace mgd
