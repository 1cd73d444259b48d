#include <archive.h>
#include <archive_entry.h>
#include <unistd.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

using Handle = std::unique_ptr<::archive, int (*)(::archive*)>;

// Where the content of an entry lies: in the file (plain tar) or in memory (compressed, zip).
struct Content {
  std::uint64_t offset = 0;
  std::string bytes;
};

struct PackedEntry {
  ArchiveEntry entry;
  Content content;
};

bool is_compressed(std::string_view start) {
  return start.starts_with("\x1f\x8b") ||
         start.starts_with(std::string_view("\xfd"
                                            "7zXZ\0",
                                            6)) ||
         start.starts_with("\x28\xb5\x2f\xfd") || start.starts_with("BZh");
}

// An empty zip is nothing but its end.
bool is_zip(std::string_view start) {
  return start.starts_with("PK\x03\x04") || start.starts_with("PK\x05\x06");
}

[[noreturn]] void report(const std::string& path, ::archive* tar) {
  const char* text = archive_error_string(tar);
  fail(ExitCode::bad_data, "{}: damaged archive: {}", path,
       printable(text != nullptr ? text : "unknown error"));
}

class PackedTree : public FileTree {
 public:
  PackedTree(const std::string& path, const WantedName& wanted, std::uint64_t max_bytes)
      : path_(path), file_(path), max_bytes_(max_bytes) {
    const std::string start = file_.read(0, std::min<std::uint64_t>(file_.size(), 6), path);
    zip_ = is_zip(start);
    in_memory_ = zip_ || is_compressed(start);
    if (zip_) check_claims(wanted);
    std::vector<PackedEntry> found = scan(wanted);
    std::sort(found.begin(), found.end(), [](auto& a, auto& b) { return a.entry.name < b.entry.name; });
    entries_.reserve(found.size());
    contents_.reserve(found.size());
    for (PackedEntry& item : found) {
      if (!entries_.empty() && entries_.back().name == item.entry.name)
        fail(ExitCode::bad_data, "{}: holds '{}' twice", path, printable(item.entry.name));
      entries_.push_back(std::move(item.entry));
      contents_.push_back(std::move(item.content));
    }
  }

  const std::vector<ArchiveEntry>& entries() const override { return entries_; }
  const std::vector<std::string>& others() const override { return others_; }
  const std::vector<std::string>& folders() const override { return folders_; }

  std::string read_start(std::size_t index, std::size_t most) const override {
    MGD_ASSERT(index < entries_.size());
    if (in_memory_) return contents_[index].bytes.substr(0, most);
    return file_.read(contents_[index].offset, std::min<std::uint64_t>(most, entries_[index].size),
                      path_ + ": " + printable(entries_[index].name));
  }

  std::string read(std::size_t index) const override {
    MGD_ASSERT(index < entries_.size());
    const ArchiveEntry& entry = entries_[index];
    if (in_memory_) return contents_[index].bytes;
    if (entry.size > max_bytes_)
      fail(ExitCode::bad_data, "{}: '{}' holds {} bytes, at most {} are allowed", path_,
           printable(entry.name), entry.size, max_bytes_);
    return file_.read(contents_[index].offset, entry.size, path_ + ": " + printable(entry.name));
  }

 private:
  Handle open_archive() const {
    Handle tar(archive_read_new(), archive_read_free);
    if (!tar || ::lseek(file_.descriptor(), 0, SEEK_SET) != 0)
      fail(ExitCode::out_of_memory, "{}: no memory for the archive reader", path_);
    if (zip_)
      archive_read_support_format_zip_seekable(tar.get());
    else
      archive_read_support_format_tar(tar.get());
    if (in_memory_ && !zip_) {
      archive_read_support_filter_bzip2(tar.get());
      archive_read_support_filter_gzip(tar.get());
      archive_read_support_filter_xz(tar.get());
      archive_read_support_filter_zstd(tar.get());
    }
    constexpr std::size_t kBlockBytes = 128 * 1024;
    if (archive_read_open_fd(tar.get(), file_.descriptor(), kBlockBytes) != ARCHIVE_OK)
      report(path_, tar.get());
    return tar;
  }

  // Calls take(header, name) for every entry that is no hidden one and no folder.
  template <class Take>
  void for_each(::archive* tar, Take take) {
    ::archive_entry* header = nullptr;
    for (;;) {
      const int status = archive_read_next_header(tar, &header);
      if (status == ARCHIVE_EOF) return;
      if (status != ARCHIVE_OK && status != ARCHIVE_WARN) report(path_, tar);
      std::string name = checked_name(header);
      const bool folder = archive_entry_filetype(header) == AE_IFDIR;
      if (!in_memory_ && (name.empty() || folder)) check_inside(tar, header, name);
      if (name.empty()) continue;
      folder ? add_folder(std::move(name)) : take(header, std::move(name));
    }
  }

  void add_folder(std::string name) {
    if (folders_.empty() || folders_.back() != name) folders_.push_back(std::move(name));
  }

  // A zip says at its end what everything unpacks to: a bomb is refused before any of it is unpacked.
  void check_claims(const WantedName& wanted) {
    if (file_.size() == 0) return;
    const Handle zip = open_archive();
    std::uint64_t claimed = 0;
    for_each(zip.get(), [&](::archive_entry* header, const std::string& name) {
      if (wanted && !wanted(name)) return;
      claimed += static_cast<std::uint64_t>(std::max<std::int64_t>(0, archive_entry_size(header)));
      if (claimed > max_bytes_) too_much();
      check_ratio(claimed, file_.size());
    });
    folders_.clear();
  }

  void check_ratio(std::uint64_t unpacked, std::uint64_t packed) const {
    constexpr std::uint64_t kFreeBytes = 64 << 20, kMostRatio = 100;
    if (unpacked > kFreeBytes && unpacked / kMostRatio > packed)
      fail(ExitCode::refused,
           "{}: {} bytes of it unpack to {} or more, which is no way to pack pictures; unpack it yourself "
           "and give the "
           "folder",
           path_, packed, unpacked);
  }

  std::vector<PackedEntry> scan(const WantedName& wanted) {
    if (file_.size() == 0) fail(ExitCode::bad_data, "{}: empty file, expected an archive", path_);
    const Handle tar = open_archive();
    std::vector<PackedEntry> found;
    std::uint64_t held = 0;  // names count as well: an archive of a billion empty files is a bomb, too
    for_each(tar.get(), [&](::archive_entry* header, std::string name) {
      held += name.size() + sizeof(PackedEntry);
      if (held > max_bytes_) too_much();
      if (wanted && !wanted(name)) {
        if (!in_memory_) check_inside(tar.get(), header, name);
        if (in_memory_) check_ratio(held, consumed(tar.get()));
        others_.push_back(std::move(name));
        return;
      }
      PackedEntry item;
      item.entry.name = std::move(name);
      if (in_memory_) {
        item.content.bytes = unpack(tar.get(), header, item.entry.name, held);
        item.entry.size = item.content.bytes.size();
      } else {
        check_inside(tar.get(), header, item.entry.name);
        item.content.offset = data_offset(tar.get());
        item.entry.size = static_cast<std::uint64_t>(archive_entry_size(header));
      }
      found.push_back(std::move(item));
    });
    std::sort(folders_.begin(), folders_.end());
    folders_.erase(std::unique(folders_.begin(), folders_.end()), folders_.end());
    return found;
  }

  // Bytes of the file that have been read so far; a zip's are all known.
  std::uint64_t consumed(::archive* tar) const {
    return zip_ ? file_.size()
                : static_cast<std::uint64_t>(std::max<std::int64_t>(0, archive_filter_bytes(tar, -1)));
  }

  [[noreturn]] void too_much() const {
    fail(ExitCode::bad_data, "{}: unpacks to more than the {} bytes that are allowed", path_, max_bytes_);
  }

  // "" for what is skipped.
  std::string checked_name(::archive_entry* header) const {
    // In the C locale a name with characters beyond ASCII exists in one of the two forms only.
    const char* raw = archive_entry_pathname_utf8(header);
    if (raw == nullptr) raw = archive_entry_pathname(header);
    if (raw == nullptr) fail(ExitCode::bad_data, "{}: an entry without a readable name", path_);
    std::string name = safe_entry_name(path_, raw);
    const auto refuse = [&](const char* what) {
      fail(ExitCode::refused, "{}: entry '{}' refused: it is a {}", path_, printable(raw), what);
    };
    if (archive_entry_hardlink(header) != nullptr || archive_entry_hardlink_w(header) != nullptr)
      refuse("hard link");
    const auto type = archive_entry_filetype(header);
    if (type == AE_IFLNK) refuse("symbolic link");
    if (type != AE_IFREG && type != AE_IFDIR) refuse("device, pipe or socket");
    if (archive_entry_is_encrypted(header) != 0)
      fail(ExitCode::refused,
           "{}: entry '{}' refused: it is encrypted; unpack it yourself and give the folder", path_,
           printable(raw));
    if (archive_entry_sparse_count(header) > 0)
      fail(ExitCode::bad_data, "{}: '{}' is stored sparsely, which is not supported", path_, printable(raw));
    return name;
  }

  // Without a filter the reader's position after a header is where the content begins.
  static std::uint64_t data_offset(::archive* tar) {
    return static_cast<std::uint64_t>(archive_filter_bytes(tar, 0));
  }

  // Skipping is a seek, and a seek beyond the end of a file succeeds: a truncated archive shows only here.
  void check_inside(::archive* tar, ::archive_entry* header, const std::string& name) const {
    const std::uint64_t offset = data_offset(tar);
    const auto size = archive_entry_size(header);
    if (size < 0 || offset > file_.size() || static_cast<std::uint64_t>(size) > file_.size() - offset)
      fail(ExitCode::bad_data, "{}: truncated archive: '{}' does not end inside it", path_, printable(name));
  }

  std::string unpack(::archive* tar, ::archive_entry* header, const std::string& name,
                     std::uint64_t& held) const {
    const std::uint64_t claimed =
        static_cast<std::uint64_t>(std::max<std::int64_t>(0, archive_entry_size(header)));
    if (claimed > max_bytes_ - std::min(held, max_bytes_)) too_much();
    std::string bytes;
    constexpr std::uint64_t kTrustedBytes = 1
                                            << 20;  // a header may lie: the rest grows with what really comes
    bytes.reserve(std::min(claimed, kTrustedBytes));
    const void* block = nullptr;
    std::size_t size = 0;
    std::int64_t offset = 0;
    int status = ARCHIVE_OK;
    while ((status = archive_read_data_block(tar, &block, &size, &offset)) == ARCHIVE_OK) {
      held += size;
      if (held > max_bytes_) too_much();
      check_ratio(held, consumed(tar));
      if (bytes.size() + size > claimed) break;  // told below
      bytes.append(static_cast<const char*>(block), size);
    }
    if (status != ARCHIVE_EOF && status != ARCHIVE_OK) report(path_, tar);
    if (status == ARCHIVE_OK || bytes.size() != claimed)
      fail(ExitCode::bad_data, "{}: '{}' does not hold the {} bytes of its header", path_, printable(name),
           claimed);
    return bytes;
  }

  std::string path_;
  OpenFile file_;
  std::uint64_t max_bytes_;
  bool zip_ = false, in_memory_ = false;
  std::vector<ArchiveEntry> entries_;
  std::vector<std::string> folders_, others_;
  std::vector<Content> contents_;
};

}  // namespace

std::unique_ptr<FileTree> open_packed(const std::string& path, const WantedName& wanted,
                                      std::uint64_t max_bytes) {
  return std::make_unique<PackedTree>(path, wanted, max_bytes);
}

}  // namespace mgd
