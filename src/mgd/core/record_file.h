// Records in one memory-mapped file, of its full size from the beginning. Any number of threads
// and processes read and write them in any order, without a lock.
//
//   Head                 sizes, and the checksum of head and text
//   text                 what the records are, as the owner says it
//   ends                 where each record ends; not there when all have one size
//   note                 one more record, of kNoteBytes, for what is learned later
//   an Entry a record    key and checksum; zeros: never written
//   the records          each padded to words
//
// The entry is written after its record, so that whatever stands in the middle of a write is not taken for
// whole: after a kill the entry is missing; after a loss of power, and when two write the same record at
// once, the checksum fails. It is a cache: who finds a record missing or damaged makes it again.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

struct RecordShape {
  std::int64_t num_records = 0;
  std::int64_t record_bytes = 0;  // of each, or of the largest
  // Where each ends, in bytes from where the first begins, each a multiple of 8 and none below the one
  // before; empty: all have one size.
  std::vector<std::uint64_t> ends = {};

  static RecordShape ragged(const std::vector<std::uint64_t>& bytes);  // of records of these sizes
};

class RecordFile {
 public:
  static constexpr std::int64_t kNoteBytes = 4096;

  // Of a whole file.
  static std::uint64_t bytes_of(std::string_view text, const RecordShape& shape);

  // A new file, all its records missing. It has its name only when it is whole, and nothing is left of it
  // when the disk is full: Error(io) with the bytes needed and free. Error(cannot_create) when the folder
  // cannot be written. Where another process was faster its file is opened.
  static RecordFile create(const fs::path& path, std::string_view text, const RecordShape& shape);

  // A file that is there; nullopt when its head is damaged, so that nothing of it can be used. One that was
  // cut short gets its full size back (see repair()). One that may not be written (its mode, a read-only file
  // system) is opened for reading only: see writable(). Throws Error(bad_data) for a file of another kind or
  // version, and for one that is cut short and may not be written, and like create().
  static std::optional<RecordFile> open(const fs::path& path);

  RecordFile(RecordFile&& other) noexcept;
  RecordFile& operator=(RecordFile&&) = delete;
  ~RecordFile();

  const std::string& text() const { return text_; }
  const RecordShape& shape() const { return shape_; }
  bool writable() const { return writable_; }
  const std::string& repair() const { return repair_; }  // what open() mended: "cut short: ..."; "" = nothing

  // `key` tells what the record was made from; `stale` is a whole record of another key. `bytes` holds
  // buffer_words() words: those of a record and padding, which is kept too. Of a smaller record the first.
  enum class State { missing, damaged, stale, good };
  State read(std::int64_t record, std::uint64_t key, std::uint64_t* words) const;
  // Does nothing where the file is not writable.
  void write(std::int64_t record, std::uint64_t key, const std::uint64_t* words);
  std::size_t buffer_words() const;

  bool is_written(std::int64_t record) const;  // not missing; its checksum is not looked at
  std::int64_t num_written() const;

  std::string note() const;              // "" when there is none, or a damaged one
  void set_note(std::string_view note);  // less than kNoteBytes; as write()

  // Throws Error(io) when somebody has cut the file short since: reading beyond its end would end the
  // process.
  void require_whole() const;

 private:
  struct Entry;
  struct Place;
  RecordFile(const fs::path& path, std::string text, const RecordShape& shape);
  Place place_of(std::int64_t record) const;
  Place note_place() const;
  void forget_behind(std::uint64_t size);  // records that a shorter file no longer held

  fs::path path_;
  std::string text_, repair_;
  RecordShape shape_;
  std::uint64_t bytes_ = 0;
  bool writable_ = true;
  int fd_ = -1;
  char* map_ = nullptr;
};

}  // namespace mgd
