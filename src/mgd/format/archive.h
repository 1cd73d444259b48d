// Folders and archives behind one face: a list of files, each readable at any time, without unpacking to disk.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace mgd {

struct ArchiveEntry {
  std::string name;  // relative, '/'-separated, normalised; never absolute, never with ".."
  std::uint64_t size = 0;
};

class FileTree {
 public:
  virtual ~FileTree() = default;
  virtual const std::vector<ArchiveEntry>& entries() const = 0;  // sorted by name (byte order)
  virtual std::string read(std::size_t index) const = 0;         // thread-safe; throws Error(bad_data | io)
};

// A folder, .tar, .tar.xz, .tar.zst or .tar.gz (by magic bytes). Compressed archives are decompressed once, into memory,
// holding only entries that `wanted(name)` accepts. Throws Error(missing_input) when nothing is there, Error(refused) for "../",
// absolute names, links out of the tree and devices, Error(bad_data) for a damaged archive or more than `max_bytes` of content.
std::unique_ptr<FileTree> open_file_tree(const std::string& path,
                                         const std::function<bool(const std::string& name)>& wanted = {},
                                         std::uint64_t max_bytes = std::uint64_t{8} << 30);

}  // namespace mgd
