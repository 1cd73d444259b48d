#include "mgd/core/own_staging.h"

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

namespace mgd {

namespace {

constexpr int kDeepest = 8;  // folders in folders; a staged one has one level of them
constexpr int kPasses = 3;   // another thread may still be writing

int open_folder(int parent, const char* name) noexcept {
  return ::openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
}

// readdir takes memory; this is the system call behind it.
template <class F>
void each_name(int folder, const F& use) noexcept {
  alignas(dirent64) std::array<char, 2048> buffer;
  while (true) {
    const ssize_t bytes = ::getdents64(folder, buffer.data(), buffer.size());
    if (bytes <= 0) return;
    for (ssize_t at = 0; at < bytes;) {
      const auto* const entry = reinterpret_cast<const dirent64*>(buffer.data() + at);
      at += entry->d_reclen;
      if (std::strcmp(entry->d_name, ".") != 0 && std::strcmp(entry->d_name, "..") != 0) use(entry->d_name);
    }
  }
}

void remove_tree(int parent, const char* name, int depth) noexcept {
  if (::unlinkat(parent, name, 0) == 0 || errno != EISDIR || depth == kDeepest) return;
  const int folder = open_folder(parent, name);
  if (folder < 0) return;
  for (int pass = 0; pass < kPasses; ++pass) {
    ::lseek(folder, 0, SEEK_SET);
    each_name(folder, [&](const char* inside) { remove_tree(folder, inside, depth + 1); });
    if (::unlinkat(parent, name, AT_REMOVEDIR) == 0) break;
  }
  ::close(folder);
}

// The start of the digits at the end of [begin, end) behind a dash; null: there are none.
const char* number_at_end(const char* begin, const char* end) noexcept {
  const char* digits = end;
  while (digits > begin && digits[-1] >= '0' && digits[-1] <= '9') --digits;
  return digits < end && digits > begin && digits[-1] == '-' ? digits : nullptr;
}

// .tmp-NAME-PID-N with the number of this process, as make_staging names it.
bool is_own_staging(const char* path) noexcept {
  const char* const slash = std::strrchr(path, '/');
  const char* const name = slash != nullptr ? slash + 1 : path;
  if (std::strncmp(name, ".tmp-", 5) != 0) return false;
  const char* const count = number_at_end(name, name + std::strlen(name));
  const char* const pid = count != nullptr ? number_at_end(name, count - 1) : nullptr;
  return pid != nullptr && std::strtol(pid, nullptr, 10) == static_cast<long>(::getpid());
}

}  // namespace

void remove_own_staging() noexcept {
  const int open_files = open_folder(AT_FDCWD, "/proc/self/fd");
  if (open_files < 0) return;
  each_name(open_files, [&](const char* number) {
    std::array<char, PATH_MAX> path;
    const ssize_t length = ::readlinkat(open_files, number, path.data(), path.size() - 1);
    if (length <= 0) return;
    path[static_cast<std::size_t>(length)] = '\0';
    if (is_own_staging(path.data())) remove_tree(AT_FDCWD, path.data(), 0);
  });
  ::close(open_files);
}

}  // namespace mgd
