// One file that is written piece by piece, looked at, and only then published under its name.
#pragma once

#include <string>
#include <string_view>

#include "mgd/core/staging.h"

namespace mgd {

class FilePublisher {
 public:
  // Stages beside the target, and removes there what killed writers left (see staging.h). Throws
  // Error(cannot_create), also when a folder stands there.
  explicit FilePublisher(fs::path target);
  ~FilePublisher();  // removes the staged file unless it was published
  FilePublisher(const FilePublisher&) = delete;
  FilePublisher& operator=(const FilePublisher&) = delete;

  void write(std::string_view bytes);  // throws Error(io)
  void finish();                       // all is written and synced, and may be read at staged()
  const fs::path& staged() const { return staging_.path; }
  std::uint64_t bytes() const { return bytes_; }
  void publish();  // after finish(): takes the target's name. Throws Error(io); the old file then stands

 private:
  void flush();
  fs::path target_;
  Staging staging_;
  std::string buffer_;
  std::uint64_t bytes_ = 0;
  bool published_ = false;
};

}  // namespace mgd
