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
  virtual const std::vector<std::string>& others() const = 0;    // names that were not wanted, in any order
  // Every folder that is named, empty ones too; sorted. (An archive need not name any.)
  virtual const std::vector<std::string>& folders() const = 0;
  virtual std::string read(std::size_t index) const = 0;  // thread-safe; throws Error(bad_data | io)
  virtual std::string read_start(std::size_t index, std::size_t most) const = 0;  // its first bytes
};

// A folder, .tar (.gz, .xz, .zst, .bz2) or .zip (by magic bytes, never by name).
//
// A folder and a plain .tar are read on demand; `max_bytes` then bounds a single read(). A compressed archive
// is unpacked once, into memory, holding only the entries that `wanted(name)` accepts, at most `max_bytes` of
// them and not much more than a hundred times its own size. Names are normalised ("./a//b" -> "a/b"). Folders
// are no entries; hidden files and folders (".DS_Store", ".git/"), "__MACOSX" and "Thumbs.db" are left out
// silently: they are no data, and in an ImageFolder they would be classes.
//
// Links in a folder are followed, wherever they lead. Throws Error(missing_input) when nothing is there or a
// wanted entry is a link to nothing; Error(refused) for a loop of links, "../" and absolute names, devices,
// every link inside an archive, encrypted entries and bombs; Error(bad_data) for a damaged archive, a name
// that comes twice, or more than `max_bytes`.
std::unique_ptr<FileTree> open_file_tree(const std::string& path,
                                         const std::function<bool(const std::string& name)>& wanted = {},
                                         std::uint64_t max_bytes = std::uint64_t{8} << 30);

}  // namespace mgd
