// A regular file that is read in parts. Reads, never a memory map: a file that is cut short by somebody else
// is then an error and not a SIGBUS, and the kernel keeps what is read again all the same.
#pragma once

#include <cstdint>

#include "mgd/core/descriptor.h"
#include "mgd/core/file.h"

namespace mgd {

class InputFile {
 public:
  // Throws like require_regular_file, Error(io) when it cannot be opened.
  explicit InputFile(fs::path path);

  const fs::path& path() const { return path_; }
  std::uint64_t size() const { return size_; }  // bytes, when it was opened

  // Up to `capacity` bytes from where the last read ended; 0 at the end of the file. Throws Error(io).
  std::size_t read(char* buffer, std::size_t capacity) const;
  // Exactly the bytes [offset, offset + size), from any thread. Throws Error(io), also when the file has
  // become shorter.
  void read_at(std::uint64_t offset, void* buffer, std::size_t size) const;

 private:
  fs::path path_;
  Descriptor descriptor_;
  std::uint64_t size_ = 0;
};

}  // namespace mgd
