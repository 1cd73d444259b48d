// The folder of one run: created once, never overwritten silently, used by one process at a time.
#pragma once

#include <string>

#include "mgd/core/file.h"

namespace mgd {

// What a --resume changed of the recipe, a line a change and its step.
inline constexpr const char* kChangesFile = "changes.txt";

class RunFolder {
 public:
  enum class Open { create, resume, overwrite };

  // Creates and locks. Throws Error(cannot_create): the folder holds a run and `open` is create, it cannot be
  // written, or another process uses it (named by host and pid). `resume` of a folder that is not there is
  // Error(missing_input).
  //
  // `overwrite` puts the run that is there aside. It is gone when the new one can be resumed: after
  // drop_replaced(), or with the process when the new one has a checkpoint by then. Otherwise, also after a
  // kill, it is there again.
  RunFolder(fs::path path, Open open);
  ~RunFolder();  // unlocks, and removes a folder it created in which nothing was begun
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  const fs::path& path() const { return path_; }
  fs::path checkpoints() const { return path_ / "checkpoints"; }
  fs::path metrics() const { return path_ / "metrics.jsonl"; }

  // The new run has its first checkpoint: what it replaces is removed.
  void drop_replaced() const;

 private:
  void lock();
  fs::path replaced() const { return path_ / ".replaced"; }
  void put_aside() const;
  void settle_replaced() const;
  fs::path path_;
  int lock_fd_ = -1;
  bool created_ = false;
};

}  // namespace mgd
