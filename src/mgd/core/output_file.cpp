#include "mgd/core/output_file.h"

#include <sys/statvfs.h>

#include <cerrno>
#include <cstring>

#include "mgd/core/error.h"

namespace mgd {

namespace {

[[noreturn]] void write_failed(const fs::path& path, std::uint64_t need_bytes, int error) {
  struct statvfs volume {};
  if (error == ENOSPC && ::statvfs(parent_of(path).c_str(), &volume) == 0)
    fail(ExitCode::io, "{}: disk full: {} bytes needed, {} free", path.string(), need_bytes,
         std::uint64_t{volume.f_bavail} * volume.f_frsize);
  fail(ExitCode::io, "{}: write failed: {}", path.string(), std::strerror(error));
}

}  // namespace

void write_all(const Descriptor& file, const fs::path& path, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) write_failed(path, bytes.size(), errno);
    done += static_cast<std::size_t>(n);
  }
}

void sync_file(const Descriptor& file, const fs::path& path, std::uint64_t written_bytes) {
  if (::fsync(file.get()) != 0) write_failed(path, written_bytes, errno);
}

Descriptor create_file(const fs::path& path, std::uint64_t need_bytes) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.is_open() && errno == ENOSPC) write_failed(path, need_bytes, errno);
  if (!file.is_open())
    fail(ExitCode::cannot_create, "{}: cannot be created: {}", path.string(), std::strerror(errno));
  return file;
}

void close_file(Descriptor& file, const fs::path& path, std::uint64_t written_bytes) {
  if (!file.close()) write_failed(path, written_bytes, errno);
}

OutputFile::OutputFile(fs::path path) : path_(std::move(path)), descriptor_(create_file(path_, 0)) {}

void OutputFile::write(std::string_view bytes) {
  constexpr std::size_t kBuffer = 1 << 20;
  buffer_.append(bytes);
  bytes_ += bytes.size();
  if (buffer_.size() >= kBuffer) flush();
}

void OutputFile::flush() {
  write_all(descriptor_, path_, buffer_);
  hash_.update(buffer_.data(), buffer_.size());
  buffer_.clear();
}

std::string OutputFile::close() {
  flush();
  sync_file(descriptor_, path_, bytes_);
  close_file(descriptor_, path_, bytes_);
  return hash_.finish();
}

}  // namespace mgd
