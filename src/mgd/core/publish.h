// Atomic publication of a folder: its files are written and synced under a temporary name, then it is
// renamed. A reader finds the whole folder or none of it, whenever the writer is killed.
#pragma once

#include <map>

#include "mgd/core/file.h"
#include "mgd/core/output_file.h"
#include "mgd/core/staging.h"

namespace mgd {

struct ManifestEntry {
  std::uint64_t bytes = 0;
  std::string sha256;
};
using Manifest = std::map<std::string, ManifestEntry>;  // file name -> what it must hold

class DirectoryPublisher {
 public:
  // Stages beside the target, and removes there what killed writers left (see staging.h). Throws
  // Error(cannot_create) when the parent cannot be written or when something that is no folder stands at the
  // target.
  explicit DirectoryPublisher(fs::path target);
  ~DirectoryPublisher();  // removes the staged files unless they were published
  DirectoryPublisher(const DirectoryPublisher&) = delete;
  DirectoryPublisher& operator=(const DirectoryPublisher&) = delete;

  // Written and synced; throws Error(io). `name` may lie in a subfolder, which a manifest cannot list.
  void add(const std::string& name, std::string_view bytes);

  // For a file too large for memory: write to it, then hand it back.
  OutputFile create(const std::string& name);
  void add(OutputFile& file);  // written and synced; throws Error(io)

  // Writes manifest.json (size and SHA-256 of every file) last, syncs, and renames to the target, replacing a
  // folder that stands there. With `manifest` false no manifest is written. Throws Error(io); the target is
  // then as before.
  void publish(bool manifest = true);

 private:
  fs::path target_;
  Staging staging_;
  Manifest files_;
  bool published_ = false;
};

std::string manifest_json(const Manifest& files);

// Throws Error(bad_data) for what is no manifest, or names a file that is not in the folder itself.
Manifest parse_manifest(std::string_view json);

// "" when every file named in FOLDER/manifest.json is there with its size and SHA-256, otherwise what is
// wrong. Throws nothing but std::bad_alloc.
std::string verify_manifest(const fs::path& folder);

}  // namespace mgd
