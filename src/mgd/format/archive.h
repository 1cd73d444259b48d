// Folders and archives behind one face: a list of files, each readable at any time, without unpacking to
// disk.
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

// A folder, .tar, .tar.xz, .tar.zst or .tar.gz (by magic bytes, never by name).
//
// A folder and a plain .tar are read on demand; `max_bytes` then bounds a single read(). A compressed archive
// is unpacked once, into memory, holding only the entries that `wanted(name)` accepts, at most `max_bytes` of
// them. Names are normalised ("./a//b" -> "a/b"). Folders are no entries; hidden files and folders
// (".DS_Store", ".git/"),
// "__MACOSX" and "Thumbs.db" are left out silently: they are no data, and in an ImageFolder they would be
// classes.
//
// Throws Error(missing_input) when nothing is there; Error(refused) for "../" and absolute names, devices,
// every link inside an archive, and links inside a folder that lead out of it or to another folder;
// Error(bad_data) for a damaged archive, a name that comes twice, or more than `max_bytes`.
std::unique_ptr<FileTree> open_file_tree(const std::string& path,
                                         const std::function<bool(const std::string& name)>& wanted = {},
                                         std::uint64_t max_bytes = std::uint64_t{8} << 30);

}  // namespace mgd
