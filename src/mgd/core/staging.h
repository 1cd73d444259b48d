// Temporary names beside the place where something will stand: .tmp-NAME-PID-N, a file or a folder.
// Whoever writes one holds a lock on it. The kernel drops the lock with the process, so a name without a lock
// is what a killed writer left, whatever became of its process id (reused, or of another container on the
// same volume).
#pragma once

#include "mgd/core/descriptor.h"
#include "mgd/core/file.h"

namespace mgd {

struct Staging {
  fs::path path;
  Descriptor lock;  // open for writing when it is a file
};

enum class StagingKind { file, folder };

// Creates a new, empty one for `target`, never an existing one. Throws Error(cannot_create), or Error(io)
// when the disk is full.
Staging make_staging(const fs::path& target, StagingKind kind);

// Where a file system cannot exchange two names, the old folder waits as .old-NAME-PID-N for a moment.
fs::path aside_name(const fs::path& staging, const fs::path& target);

// Cleans up after killed writers: removes .tmp-NAME-PID-N without a lock, and gives a folder that was put
// aside its name back unless a new one stands there. Returns how many were removed or given back; what cannot
// be removed stays.
int remove_stale_staging(const fs::path& parent);

}  // namespace mgd
