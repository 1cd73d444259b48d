#include "mgd/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"

namespace mgd {

namespace {

bool holds_run(const fs::path& path) {
  std::error_code error;
  const bool has_checkpoints = fs::exists(path / "checkpoints") && !fs::is_empty(path / "checkpoints", error);
  return fs::exists(path / "config.yaml") || has_checkpoints;
}

// Removes what a run writes, and nothing else a user may have put there.
void remove_run(const fs::path& path) {
  for (const char* name : {"config.yaml", "env.json", "metrics.jsonl", "summary.json", "report.html",
                           "answers.jsonl", "data_report.json", "checkpoints", "student", "model"})
    fs::remove_all(path / name);
  for (const auto& entry : fs::directory_iterator(path))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) fs::remove(entry.path());
}

}  // namespace

RunFolder::RunFolder(fs::path path, Open open) : path_(std::move(path)) {
  if (open == Open::resume && !holds_run(path_))
    fail(ExitCode::missing_input, "run folder {}: no run to resume there", path_.string());
  if (open == Open::create && holds_run(path_))
    fail(ExitCode::cannot_create,
         "run folder {}: already holds a run; go on with --resume, start anew with --overwrite, or choose "
         "another --run-dir",
         path_.string());
  std::error_code error;
  created_ = fs::create_directories(path_, error);
  if (error) fail(ExitCode::cannot_create, "run folder {}: {}", path_.string(), error.message());
  lock();
  if (open == Open::overwrite) remove_run(path_);
  fs::create_directories(checkpoints(), error);
  if (error) fail(ExitCode::cannot_create, "run folder {}: {}", path_.string(), error.message());
  remove_stale_staging(path_);
  remove_stale_staging(checkpoints());
}

void RunFolder::lock() {
  const fs::path file = path_ / ".lock";
  lock_fd_ = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (lock_fd_ < 0) fail(ExitCode::cannot_create, "run folder {}: {}", path_.string(), std::strerror(errno));
  if (::flock(lock_fd_, LOCK_EX | LOCK_NB) != 0) {
    std::array<char, 256> holder{};
    const auto n = ::pread(lock_fd_, holder.data(), holder.size() - 1, 0);
    ::close(lock_fd_);
    lock_fd_ = -1;
    fail(ExitCode::cannot_create, "run folder {}: in use by {}; wait for it or choose another --run-dir",
         path_.string(), n > 0 ? std::string(holder.data(), static_cast<std::size_t>(n)) : "another process");
  }
  // The kernel drops the lock with the process, so a killed run leaves nothing to clean; the text is for
  // people.
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  const std::string holder = fmt::format("host {}, pid {}", host.data(), ::getpid());
  if (::ftruncate(lock_fd_, 0) != 0 || ::pwrite(lock_fd_, holder.data(), holder.size(), 0) < 0)
    fail(ExitCode::io, "run folder {}: {}", path_.string(), std::strerror(errno));
}

RunFolder::~RunFolder() {
  if (lock_fd_ >= 0) ::close(lock_fd_);
  if (!created_ || holds_run(path_)) return;
  std::error_code ignored;  // remove() leaves a folder with content alone
  fs::remove(path_ / ".lock", ignored);
  fs::remove(checkpoints(), ignored);
  fs::remove(path_, ignored);
}

}  // namespace mgd
