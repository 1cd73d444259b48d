// A file that is written bit by bit, into a folder that is itself published later (see publish.h).
#pragma once

#include <cstdint>
#include <string>

#include "mgd/core/descriptor.h"
#include "mgd/core/file.h"
#include "mgd/core/sha256.h"

namespace mgd {

class OutputFile {
 public:
  explicit OutputFile(fs::path path);  // throws Error(cannot_create), or Error(io) when the disk is full

  const fs::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }

  void write(std::string_view bytes);  // buffered; throws Error(io)
  std::string close();                 // written and synced; gives the SHA-256. Throws Error(io)

 private:
  void flush();
  fs::path path_;
  Descriptor descriptor_;
  Sha256 hash_;
  std::string buffer_;
  std::uint64_t bytes_ = 0;
};

// All of `bytes`, however many calls it takes. Throws Error(io), with the bytes needed and free when the disk
// is full.
void write_all(const Descriptor& file, const fs::path& path, std::string_view bytes);
// Some file systems find out here that the disk is full; `written_bytes` is for the message.
void sync_file(const Descriptor& file, const fs::path& path, std::uint64_t written_bytes);
// Throws Error(io), or Error(cannot_create).
Descriptor create_file(const fs::path& path, std::uint64_t need_bytes);
void close_file(Descriptor& file, const fs::path& path, std::uint64_t written_bytes);

}  // namespace mgd
