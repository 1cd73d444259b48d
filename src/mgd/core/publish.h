// Atomic publication of a folder: its files are written and synced under a temporary name, then it is renamed.
// A reader finds the whole folder or none of it, whenever the writer is killed.
#pragma once

#include "mgd/core/file.h"

#include <map>

namespace mgd {

class DirectoryPublisher {
 public:
  // Stages into PARENT/.tmp-NAME-PID. Throws Error(cannot_create) when the parent cannot be written.
  explicit DirectoryPublisher(fs::path target);
  ~DirectoryPublisher();  // removes the staged files unless they were published
  DirectoryPublisher(const DirectoryPublisher&) = delete;
  DirectoryPublisher& operator=(const DirectoryPublisher&) = delete;

  void add(const std::string& name, std::string_view bytes);  // written and synced; throws Error(io)

  // Writes manifest.json (size and SHA-256 of every file) last, syncs, and renames to the target, replacing a folder
  // that stands there. With `manifest` false no manifest is written.
  void publish(bool manifest = true);

 private:
  fs::path target_;
  fs::path staging_;
  std::map<std::string, std::pair<std::uint64_t, std::string>> files_;  // name -> size, SHA-256
  bool published_ = false;
};

// "" when every file named in FOLDER/manifest.json is there with its size and SHA-256, otherwise what is wrong.
std::string verify_manifest(const fs::path& folder);

// Removes what killed writers left in `parent` (.tmp-* whose process is gone). Returns how many were removed.
int remove_stale_staging(const fs::path& parent);

}  // namespace mgd
