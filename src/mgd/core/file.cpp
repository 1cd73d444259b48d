#include "mgd/core/file.h"

#include <openssl/evp.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "mgd/core/descriptor.h"
#include "mgd/core/error.h"
#include "mgd/core/staging.h"

namespace mgd {

namespace {

[[noreturn]] void write_failed(const fs::path& path, std::uint64_t need_bytes, int error) {
  struct statvfs volume {};
  if (error == ENOSPC && ::statvfs(parent_of(path).c_str(), &volume) == 0)
    fail(ExitCode::io, "{}: disk full: {} bytes needed, {} free", path.string(), need_bytes,
         std::uint64_t{volume.f_bavail} * volume.f_frsize);
  fail(ExitCode::io, "{}: write failed: {}", path.string(), std::strerror(error));
}

void write_synced(const Descriptor& file, const fs::path& path, std::string_view bytes) {
  std::size_t done = 0;
  while (done < bytes.size()) {
    const auto n = ::write(file.get(), bytes.data() + done, bytes.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) write_failed(path, bytes.size(), errno);
    done += static_cast<std::size_t>(n);
  }
  // Some file systems find out here that the disk is full.
  if (::fsync(file.get()) != 0) write_failed(path, bytes.size(), errno);
}

struct RegularFile {
  Descriptor descriptor;
  fs::path path;
  std::uint64_t size = 0;

  explicit RegularFile(const fs::path& file) : path(file) {
    require_regular_file(file);
    // Non-blocking, and asked again on the descriptor: the path may have become a FIFO in between.
    descriptor = Descriptor(file, O_RDONLY | O_NONBLOCK);
    struct stat info {};
    if (!descriptor.is_open() || ::fstat(descriptor.get(), &info) != 0)
      fail(errno == ENOENT ? ExitCode::missing_input : ExitCode::io, "{}: {}", file.string(),
           std::strerror(errno));
    if (!S_ISREG(info.st_mode)) fail(ExitCode::refused, "{}: not a regular file", file.string());
    size = static_cast<std::uint64_t>(info.st_size);
  }

  // 0 at the end of the file.
  std::size_t read(char* buffer, std::size_t capacity) const {
    while (true) {
      const auto n = ::read(descriptor.get(), buffer, capacity);
      if (n >= 0) return static_cast<std::size_t>(n);
      if (errno != EINTR) fail(ExitCode::io, "{}: read failed: {}", path.string(), std::strerror(errno));
    }
  }
};

std::string hex(const unsigned char* bytes, std::size_t size) {
  std::string text;
  for (std::size_t i = 0; i < size; ++i) text += fmt::format("{:02x}", bytes[i]);
  return text;
}

class Sha256 {
 public:
  Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
    EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr);
  }
  void update(const void* data, std::size_t size) { EVP_DigestUpdate(context_.get(), data, size); }
  std::string finish() {
    std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
    unsigned size = 0;
    EVP_DigestFinal_ex(context_.get(), digest.data(), &size);
    return hex(digest.data(), size);
  }

 private:
  std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
};

}  // namespace

void require_regular_file(const fs::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0)
    fail(ExitCode::missing_input, "{}: {}", path.string(), std::strerror(errno));
  if (!S_ISREG(info.st_mode))
    fail(ExitCode::refused, "{}: not a regular file but a {}", path.string(),
         S_ISDIR(info.st_mode)    ? "folder"
         : S_ISFIFO(info.st_mode) ? "FIFO"
         : S_ISSOCK(info.st_mode) ? "socket"
                                  : "device");
}

std::string read_file(const fs::path& path, std::uint64_t max_bytes) {
  const RegularFile file(path);
  if (file.size > max_bytes)
    fail(ExitCode::bad_data, "{}: {} bytes, at most {} expected", path.string(), file.size, max_bytes);
  std::string bytes(file.size, '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::size_t n = file.read(bytes.data() + done, bytes.size() - done);
    if (n == 0)
      fail(ExitCode::io, "{}: cut short while it was read: {} of {} bytes", path.string(), done, file.size);
    done += n;
  }
  return bytes;
}

void write_file_synced(const fs::path& path, std::string_view bytes) {
  Descriptor file(path, O_WRONLY | O_CREAT | O_TRUNC);
  if (!file.is_open() && errno == ENOSPC) write_failed(path, bytes.size(), errno);
  if (!file.is_open())
    fail(ExitCode::cannot_create, "{}: cannot be created: {}", path.string(), std::strerror(errno));
  write_synced(file, path, bytes);
  if (!file.close()) write_failed(path, bytes.size(), errno);
}

void write_file_atomic(const fs::path& path, std::string_view bytes) {
  Staging staging = make_staging(path, StagingKind::file);
  try {
    write_synced(staging.lock, path, bytes);
    if (::rename(staging.path.c_str(), path.c_str()) != 0)
      fail(errno == EISDIR ? ExitCode::cannot_create : ExitCode::io, "{}: cannot be replaced: {}",
           path.string(), std::strerror(errno));
  } catch (...) {
    ::unlink(staging.path.c_str());
    throw;
  }
  fsync_directory(parent_of(path));
}

fs::path parent_of(const fs::path& path) {
  return path.has_parent_path() ? path.parent_path() : fs::path(".");
}

void fsync_directory(const fs::path& path) {
  const Descriptor folder(path.empty() ? fs::path(".") : path, O_RDONLY | O_DIRECTORY);
  if (!folder.is_open() || ::fsync(folder.get()) != 0)
    fail(ExitCode::io, "{}: fsync failed: {}", path.string(), std::strerror(errno));
}

std::string sha256_hex(std::string_view bytes) {
  Sha256 hash;
  hash.update(bytes.data(), bytes.size());
  return hash.finish();
}

std::string sha256_file(const fs::path& path) {
  const RegularFile file(path);
  Sha256 hash;
  std::array<char, 1 << 16> buffer{};
  while (const std::size_t n = file.read(buffer.data(), buffer.size())) hash.update(buffer.data(), n);
  return hash.finish();
}

}  // namespace mgd
