#include "mgd/core/staging.h"

#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>
#include <vector>

#include "mgd/core/error.h"

namespace mgd {

namespace {

constexpr std::string_view kStaged = ".tmp-";
constexpr std::string_view kAside = ".old-";

// The NAME of PREFIX NAME-PID-N; nothing for any other name, such as a user's .tmp-notes.
std::optional<std::string> staged_name(std::string_view name, std::string_view prefix) {
  if (!name.starts_with(prefix)) return std::nullopt;
  name.remove_prefix(prefix.size());
  for (int part = 0; part < 2; ++part) {
    const auto dash = name.rfind('-');
    if (dash == std::string_view::npos || dash + 1 == name.size()) return std::nullopt;
    const std::string_view digits = name.substr(dash + 1);
    if (!std::all_of(digits.begin(), digits.end(), [](char c) { return c >= '0' && c <= '9'; }))
      return std::nullopt;
    name = name.substr(0, dash);
  }
  if (name.empty()) return std::nullopt;
  return std::string(name);
}

// When locks do not work there, nobody can tell, and it is left alone.
bool writer_lives(const fs::path& path) {
  const Descriptor file(path, O_RDONLY | O_NONBLOCK | O_NOFOLLOW);
  return !file.is_open() || ::flock(file.get(), LOCK_EX | LOCK_NB) != 0;
}

bool remove_whole(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  return !error;
}

// A folder put aside is the only good one until the new one has its name.
bool settle_aside(const fs::path& aside, const fs::path& target) {
  std::error_code error;
  if (fs::symlink_status(target, error).type() != fs::file_type::not_found) return remove_whole(aside);
  fs::rename(aside, target, error);
  return !error;
}

}  // namespace

Staging make_staging(const fs::path& target, StagingKind kind) {
  constexpr int kMostNames = 10'000;
  for (int n = 0; n < kMostNames; ++n) {
    Staging staging{.path = parent_of(target) /
                            fmt::format("{}{}-{}-{}", kStaged, target.filename().string(), ::getpid(), n),
                    .lock = {}};
    if (kind == StagingKind::file)
      staging.lock = Descriptor(staging.path, O_WRONLY | O_CREAT | O_EXCL);
    else if (::mkdir(staging.path.c_str(), 0777) == 0)
      staging.lock = Descriptor(staging.path, O_RDONLY | O_DIRECTORY);
    if (staging.lock.is_open()) {
      ::flock(staging.lock.get(), LOCK_EX | LOCK_NB);
      return staging;
    }
    if (errno == EEXIST) continue;
    fail(errno == ENOSPC ? ExitCode::io : ExitCode::cannot_create, "{}: cannot be created: {}",
         target.string(), std::strerror(errno));
  }
  fail(ExitCode::cannot_create, "{}: cannot be created: too many temporary names stand beside it",
       target.string());
}

fs::path aside_name(const fs::path& staging, const fs::path& target) {
  return parent_of(target) / (std::string(kAside) + staging.filename().string().substr(kStaged.size()));
}

int remove_stale_staging(const fs::path& parent) {
  std::vector<fs::path> found;
  std::error_code error;
  for (auto it = fs::directory_iterator(parent, error); !error && it != fs::directory_iterator();
       it.increment(error))
    found.push_back(it->path());
  int settled = 0;
  for (const auto& path : found) {
    const std::string name = path.filename().string();
    if (staged_name(name, kStaged) && !writer_lives(path)) settled += remove_whole(path) ? 1 : 0;
    if (const auto target = staged_name(name, kAside); target && !writer_lives(path))
      settled += settle_aside(path, parent / *target) ? 1 : 0;
  }
  return settled;
}

}  // namespace mgd
