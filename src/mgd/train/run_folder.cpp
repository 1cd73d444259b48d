#include "mgd/train/run_folder.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/core/publish.h"

namespace mgd {

namespace {

bool is_there(const fs::path& path) {
  std::error_code error;  // a name that is too long leads nowhere
  return fs::exists(path, error);
}

bool has_progress(const fs::path& path) {
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path / "checkpoints", error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("step-") && name.find_first_of("123456789") != std::string::npos) return true;
  }
  return false;
}

// What a run writes, as far as it is there; nothing else that a user may have put into the folder.
std::vector<fs::path> files_of_run(const fs::path& path) {
  std::vector<fs::path> files;
  for (const char* name : {"config.yaml", kChangesFile, "recipe.yaml", "env.json", "metrics.jsonl",
                           "summary.json", "report.html", "answers.jsonl", "data_report.json", "diverged.txt",
                           "checkpoints", "student", "model"})
    if (is_there(path / name)) files.push_back(path / name);
  std::error_code error;
  for (const auto& entry : fs::directory_iterator(path, error))
    if (entry.path().filename().string().starts_with("events.out.tfevents.")) files.push_back(entry.path());
  return files;
}

void move_run(const fs::path& from, const fs::path& to) {
  for (const auto& file : files_of_run(from)) fs::rename(file, to / file.filename());
}

// Files on their way between the run's place and .replaced, one by one: they belong to the run that was there
// first.
fs::path on_the_way(const fs::path& path) {
  return path / ".replacing";
}

bool holds_run(const fs::path& path) {
  std::error_code error;
  const bool has_checkpoints = is_there(path / "checkpoints") && !fs::is_empty(path / "checkpoints", error);
  return is_there(path / "config.yaml") || is_there(path / ".replaced") || is_there(on_the_way(path)) ||
         has_checkpoints;
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
  settle_replaced();  // of a start that was killed
  if (open == Open::overwrite) put_aside();
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

void RunFolder::put_aside() const {
  if (!holds_run(path_)) return;
  fs::create_directory(on_the_way(path_));
  move_run(path_, on_the_way(path_));
  fs::rename(on_the_way(path_), replaced());
}

void RunFolder::drop_replaced() const {
  std::error_code ignored;  // tried again when the folder is opened
  fs::remove_all(replaced(), ignored);
}

// Which of the two runs stands is decided by what is on the disk: one that has not learned anything yet gives
// way.
void RunFolder::settle_replaced() const {
  if (is_there(replaced())) {
    if (has_progress(path_)) return drop_replaced();
    for (const auto& file : files_of_run(path_)) fs::remove_all(file);
    fs::rename(replaced(), on_the_way(path_));
  }
  if (!is_there(on_the_way(path_))) return;
  move_run(on_the_way(path_), path_);
  fs::remove_all(on_the_way(path_));
}

RunFolder::~RunFolder() {
  try {
    if (lock_fd_ >= 0) settle_replaced();
  } catch (const fs::filesystem_error&) {
    // Both runs are still there, and the next one that opens the folder settles it.
  }
  if (lock_fd_ >= 0) ::close(lock_fd_);
  if (!created_ || holds_run(path_)) return;
  std::error_code ignored;  // remove() leaves a folder with content alone
  fs::remove(path_ / ".lock", ignored);
  fs::remove(checkpoints(), ignored);
  fs::remove(path_, ignored);
}

}  // namespace mgd
