#include "mgd/core/file.h"

#include <sys/stat.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "mgd/core/descriptor.h"
#include "mgd/core/error.h"
#include "mgd/core/input_file.h"
#include "mgd/core/output_file.h"
#include "mgd/core/sha256.h"
#include "mgd/core/staging.h"

namespace mgd {

namespace {

void write_synced(const Descriptor& file, const fs::path& path, std::string_view bytes) {
  write_all(file, path, bytes);
  sync_file(file, path, bytes.size());
}

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
  const InputFile file(path);
  if (file.size() > max_bytes)
    fail(ExitCode::bad_data, "{}: {} bytes, at most {} expected", path.string(), file.size(), max_bytes);
  std::string bytes(file.size(), '\0');
  std::size_t done = 0;
  while (done < bytes.size()) {
    const std::size_t n = file.read(bytes.data() + done, bytes.size() - done);
    if (n == 0)
      fail(ExitCode::io, "{}: cut short while it was read: {} of {} bytes", path.string(), done, file.size());
    done += n;
  }
  return bytes;
}

void write_file_synced(const fs::path& path, std::string_view bytes) {
  Descriptor file = create_file(path, bytes.size());
  write_synced(file, path, bytes);
  close_file(file, path, bytes.size());
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
  const InputFile file(path);
  Sha256 hash;
  std::array<char, 1 << 16> buffer{};
  while (const std::size_t n = file.read(buffer.data(), buffer.size())) hash.update(buffer.data(), n);
  return hash.finish();
}

}  // namespace mgd
