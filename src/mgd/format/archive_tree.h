// What folders and archives share behind open_file_tree.
#pragma once

#include <string>
#include <string_view>

#include "mgd/format/archive.h"

namespace mgd {

using WantedName = std::function<bool(const std::string& name)>;

// A regular file, open for reading at any offset from any thread. Throws Error(missing_input | refused | io).
class OpenFile {
 public:
  explicit OpenFile(const std::string& path);
  ~OpenFile();
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;
  std::uint64_t size() const { return size_; }
  int descriptor() const { return fd_; }
  // Throws Error(bad_data) beyond the end; `what` starts the message.
  std::string read(std::uint64_t offset, std::uint64_t size, const std::string& what) const;

 private:
  int fd_ = -1;
  std::uint64_t size_ = 0;
};

// "./a//b" -> "a/b"; "" for hidden files. Throws Error(refused) for a name that leaves the archive.
std::string safe_entry_name(const std::string& archive, std::string_view name);

// Hidden files, and what systems leave in folders without being asked.
bool is_hidden_name(std::string_view component);

std::unique_ptr<FileTree> open_folder(const std::string& path, const WantedName& wanted,
                                      std::uint64_t max_bytes);
std::unique_ptr<FileTree> open_packed(const std::string& path, const WantedName& wanted,
                                      std::uint64_t max_bytes);

}  // namespace mgd
