#include "mgd/core/record_file.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>

#include <atomic>
#include <cerrno>
#include <cstring>
#include <utility>

#include "mgd/core/checked_words.h"
#include "mgd/core/descriptor.h"
#include "mgd/core/error.h"
#include "mgd/core/input_file.h"
#include "mgd/core/output_file.h"
#include "mgd/core/staging.h"

namespace mgd {

namespace {

using Word = std::uint64_t;

constexpr std::string_view kMagic = "mgd-rec1", kRaggedMagic = "mgd-rec2";
constexpr std::uint64_t kMostText = 1 << 20, kMostBytes = std::uint64_t{1} << 60;

struct Head {
  char magic[8];
  std::uint64_t text_bytes;
  std::int64_t num_records, record_bytes;
  std::uint64_t checksum;  // of the text, the ends and the numbers above
};

using Ends = std::vector<std::uint64_t>;

std::uint64_t head_checksum(const Head& head, std::string_view text, const Ends& ends) {
  std::uint64_t sum = checksum_of(text.data(), text.size(), 0);
  if (!ends.empty()) sum = checksum_of(ends.data(), ends.size() * sizeof ends[0], sum);
  return checksum_of(&head, offsetof(Head, checksum), sum);
}

std::uint64_t padded(std::uint64_t bytes) {
  return (bytes + sizeof(Word) - 1) / sizeof(Word) * sizeof(Word);
}

std::string head_bytes(std::string_view text, const RecordShape& shape) {
  Head head{.magic = {},
            .text_bytes = text.size(),
            .num_records = shape.num_records,
            .record_bytes = shape.record_bytes,
            .checksum = 0};
  std::memcpy(head.magic, (shape.ends.empty() ? kMagic : kRaggedMagic).data(), sizeof head.magic);
  head.checksum = head_checksum(head, text, shape.ends);
  std::string bytes(reinterpret_cast<const char*>(&head), sizeof head);
  bytes.append(text);
  if (shape.ends.empty()) return bytes;
  bytes.resize(padded(bytes.size()), '\0');
  return bytes.append(reinterpret_cast<const char*>(shape.ends.data()), shape.ends.size() * sizeof(Word));
}

// The whole of `bytes` is reserved: a write through the map into a hole of a full disk would end the process.
void reserve(const Descriptor& file, const fs::path& path, std::uint64_t bytes, std::uint64_t held_bytes) {
  struct statvfs volume {};
  const bool known = ::fstatvfs(file.get(), &volume) == 0;
  const std::uint64_t free_bytes = known ? std::uint64_t{volume.f_bavail} * volume.f_frsize : 0;
  // Asked first: reserving takes what there is before it fails, and everybody else would find the disk full.
  const int status = known && bytes - held_bytes > free_bytes
                         ? ENOSPC
                         : ::posix_fallocate(file.get(), 0, static_cast<off_t>(bytes));
  if (status != 0)
    fail(ExitCode::io, "{}: {} bytes needed, {} free: {}", path.string(), bytes - held_bytes, free_bytes,
         status == ENOSPC ? "disk full" : std::strerror(status));
}

std::uint64_t size_of(int fd) {
  struct stat info {};
  return ::fstat(fd, &info) == 0 ? static_cast<std::uint64_t>(info.st_size) : 0;
}

// A name without a file: hard links refuse a name that is taken, where rename would replace another's file.
bool publish(const fs::path& staged, const fs::path& path) {
  if (::link(staged.c_str(), path.c_str()) == 0) return ::unlink(staged.c_str()) == 0;
  if (errno == EEXIST) return false;
  if (::rename(staged.c_str(), path.c_str()) == 0) return true;  // a file system without links
  fail(ExitCode::cannot_create, "{}: cannot be created: {}", path.string(), std::strerror(errno));
}

}  // namespace

struct RecordFile::Entry {
  Word key, checksum;
};

// Where the entry and the words of one record lie.
struct RecordFile::Place {
  Entry* entry;
  Word* words;
  std::size_t count;

  State read(Word key, Word* out) const {
    const Word checksum = std::atomic_ref(entry->checksum).load(std::memory_order_acquire);
    if (checksum == 0) return State::missing;
    const Word kept = std::atomic_ref(entry->key).load(std::memory_order_relaxed);
    if (copy_from_shared(words, out, count, kept) != checksum) return State::damaged;
    return kept == key ? State::good : State::stale;
  }

  void write(Word key, const Word* from) {
    std::atomic_ref(entry->checksum).store(0, std::memory_order_release);
    std::atomic_ref(entry->key).store(key, std::memory_order_relaxed);
    const Word checksum = copy_to_shared(from, words, count, key);
    std::atomic_ref(entry->checksum).store(checksum, std::memory_order_release);
  }
};

namespace {

// Offsets of the parts behind the head.
struct Parts {
  std::uint64_t note, entries, records, record_bytes, end;
  Parts(std::size_t text_bytes, const RecordShape& shape)
      : note(padded(sizeof(Head) + text_bytes) + shape.ends.size() * sizeof(Word)),
        entries(note + RecordFile::kNoteBytes),
        // One entry more, that of the note, which comes first.
        records(entries + (static_cast<std::uint64_t>(shape.num_records) + 1) * 2 * sizeof(Word)),
        record_bytes(padded(static_cast<std::uint64_t>(shape.record_bytes))),
        end(records + (shape.ends.empty() ? static_cast<std::uint64_t>(shape.num_records) * record_bytes
                                          : shape.ends.back())) {}
};

// Numbers of a damaged head must not overflow.
bool plausible(const Head& head) {
  return head.text_bytes <= kMostText && head.num_records >= 0 && head.record_bytes >= 0 &&
         (head.num_records == 0 || static_cast<std::uint64_t>(head.record_bytes) + 2 * sizeof(Word) <
                                       kMostBytes / static_cast<std::uint64_t>(head.num_records));
}

}  // namespace

RecordShape RecordShape::ragged(const std::vector<std::uint64_t>& bytes) {
  RecordShape shape{.num_records = static_cast<std::int64_t>(bytes.size())};
  std::uint64_t end = 0;
  for (const std::uint64_t size : bytes) {
    shape.record_bytes = std::max(shape.record_bytes, static_cast<std::int64_t>(size));
    shape.ends.push_back(end += padded(size));
  }
  return shape;
}

std::uint64_t RecordFile::bytes_of(std::string_view text, const RecordShape& shape) {
  return Parts(text.size(), shape).end;
}

RecordFile::RecordFile(const fs::path& path, std::string text, const RecordShape& shape)
    : path_(path), text_(std::move(text)), shape_(shape), bytes_(bytes_of(text_, shape)) {
  Descriptor file(path, O_RDWR);
  writable_ = file.is_open() || (errno != EROFS && errno != EACCES && errno != EPERM);
  if (!writable_) file = Descriptor(path, O_RDONLY);
  if (!file.is_open()) fail(ExitCode::io, "{}: cannot be opened: {}", path.string(), std::strerror(errno));
  const std::uint64_t size = size_of(file.get());
  if (size < bytes_ && !writable_)
    fail(ExitCode::bad_data, "{}: cut short: {} of {} bytes, and it may not be written", path.string(), size,
         bytes_);
  if (size < bytes_) reserve(file, path, bytes_, size);
  const int access = writable_ ? PROT_READ | PROT_WRITE : PROT_READ;
  void* map = ::mmap(nullptr, bytes_, access, MAP_SHARED, file.get(), 0);
  if (map == MAP_FAILED) fail(ExitCode::io, "{}: cannot be mapped: {}", path.string(), std::strerror(errno));
  map_ = static_cast<char*>(map);
  fd_ = ::dup(file.get());
  if (size < bytes_) forget_behind(size);
}

void RecordFile::forget_behind(std::uint64_t size) {
  repair_ = fmt::format("cut short: {} of {} bytes", size, bytes_);
  for (std::int64_t i = 0; i < shape_.num_records; ++i) {
    const Place place = place_of(i);
    if (reinterpret_cast<char*>(place.words + place.count) > map_ + size)
      std::atomic_ref(place.entry->checksum).store(0, std::memory_order_relaxed);
  }
}

RecordFile::RecordFile(RecordFile&& other) noexcept
    : path_(std::move(other.path_)),
      text_(std::move(other.text_)),
      repair_(std::move(other.repair_)),
      shape_(other.shape_),
      bytes_(other.bytes_),
      writable_(other.writable_),
      fd_(std::exchange(other.fd_, -1)),
      map_(std::exchange(other.map_, nullptr)) {}

RecordFile::~RecordFile() {
  if (map_ != nullptr) ::munmap(map_, bytes_);
  if (fd_ >= 0) ::close(fd_);
}

RecordFile RecordFile::create(const fs::path& path, std::string_view text, const RecordShape& shape) {
  MGD_ASSERT(text.size() <= kMostText && shape.num_records >= 0 && shape.record_bytes >= 0 &&
             (shape.ends.empty() || shape.ends.size() == static_cast<std::size_t>(shape.num_records)));
  std::error_code error;
  fs::create_directories(parent_of(path), error);
  remove_stale_staging(parent_of(path));
  Staging staging = make_staging(path, StagingKind::file);
  try {
    reserve(staging.lock, path, bytes_of(text, shape), 0);
    const std::string head = head_bytes(text, shape);
    write_all(staging.lock, path, head);
    sync_file(staging.lock, path, head.size());
    if (!publish(staging.path, path)) ::unlink(staging.path.c_str());
  } catch (...) {
    ::unlink(staging.path.c_str());
    throw;
  }
  auto made = open(path);
  if (!made) fail(ExitCode::io, "{}: damaged as soon as it was written", path.string());
  return std::move(*made);
}

std::optional<RecordFile> RecordFile::open(const fs::path& path) {
  const InputFile file(path);
  Head head{};
  const auto held = static_cast<std::size_t>(std::min<std::uint64_t>(file.size(), sizeof head));
  file.read_at(0, &head, held);
  // An empty file, or a piece of a head, is ours and lost; anything else must say what it is.
  const std::string_view magic(head.magic, std::min(held, sizeof head.magic));
  const bool ragged = magic == kRaggedMagic;
  if (!ragged && magic != kMagic.substr(0, magic.size()))
    fail(ExitCode::bad_data, "{}: not a file of this kind or version; remove it or name another",
         path.string());
  if (held < sizeof head || !plausible(head)) return std::nullopt;
  const std::uint64_t at = padded(sizeof head + head.text_bytes);
  const std::uint64_t table = ragged ? static_cast<std::uint64_t>(head.num_records) * sizeof(Word) : 0;
  if (file.size() < sizeof head + head.text_bytes || (ragged && file.size() < at + table))
    return std::nullopt;
  std::string text(head.text_bytes, '\0');
  file.read_at(sizeof head, text.data(), text.size());
  Ends ends(table / sizeof(Word));
  if (!ends.empty()) file.read_at(at, ends.data(), table);
  if (head_checksum(head, text, ends) != head.checksum) return std::nullopt;
  return RecordFile(
      path, std::move(text),
      {.num_records = head.num_records, .record_bytes = head.record_bytes, .ends = std::move(ends)});
}

RecordFile::Place RecordFile::note_place() const {
  const Parts parts(text_.size(), shape_);
  return {.entry = reinterpret_cast<Entry*>(map_ + parts.entries),
          .words = reinterpret_cast<Word*>(map_ + parts.note),
          .count = kNoteBytes / sizeof(Word)};
}

RecordFile::Place RecordFile::place_of(std::int64_t record) const {
  MGD_ASSERT(record >= 0 && record < shape_.num_records);
  const Parts parts(text_.size(), shape_);
  const auto index = static_cast<std::size_t>(record);
  const Ends& ends = shape_.ends;
  const std::uint64_t begin = ends.empty() ? index * parts.record_bytes : index == 0 ? 0 : ends[index - 1];
  const std::uint64_t size = ends.empty() ? parts.record_bytes : ends[index] - begin;
  return {.entry = reinterpret_cast<Entry*>(map_ + parts.entries) + 1 + index,
          .words = reinterpret_cast<Word*>(map_ + parts.records + begin),
          .count = size / sizeof(Word)};
}

std::size_t RecordFile::buffer_words() const {
  return padded(static_cast<std::uint64_t>(shape_.record_bytes)) / sizeof(Word);
}

RecordFile::State RecordFile::read(std::int64_t record, std::uint64_t key, std::uint64_t* words) const {
  return place_of(record).read(key, words);
}

void RecordFile::write(std::int64_t record, std::uint64_t key, const std::uint64_t* words) {
  if (writable_) place_of(record).write(key, words);
}

bool RecordFile::is_written(std::int64_t record) const {
  return std::atomic_ref(place_of(record).entry->checksum).load(std::memory_order_relaxed) != 0;
}

std::int64_t RecordFile::num_written() const {
  std::int64_t written = 0;
  for (std::int64_t i = 0; i < shape_.num_records; ++i) written += is_written(i) ? 1 : 0;
  return written;
}

std::string RecordFile::note() const {
  std::vector<Word> words(kNoteBytes / sizeof(Word));
  if (note_place().read(0, words.data()) != State::good) return "";
  const auto* text = reinterpret_cast<const char*>(words.data());
  return {text, ::strnlen(text, kNoteBytes)};
}

void RecordFile::set_note(std::string_view note) {
  MGD_ASSERT(note.size() < kNoteBytes);
  if (!writable_) return;
  std::vector<Word> words(kNoteBytes / sizeof(Word));
  std::memcpy(words.data(), note.data(), note.size());
  note_place().write(0, words.data());
}

void RecordFile::require_whole() const {
  if (const std::uint64_t size = size_of(fd_); size < bytes_)
    fail(ExitCode::io, "{}: cut short while it is in use: {} of {} bytes", path_.string(), size, bytes_);
}

}  // namespace mgd
