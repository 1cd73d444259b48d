#include "mgd/core/record_file.h"

#include <gmock/gmock.h>

#include <atomic>
#include <fstream>
#include <numeric>
#include <thread>

#include "core/scratch.h"
#include "expect_error.h"
#include "flip_bit.h"
#include "mgd/core/checked_words.h"

namespace mgd {
namespace {

using testing::HasSubstr;
using Words = std::vector<std::uint64_t>;
using State = RecordFile::State;

Words words_of(const RecordFile& file, std::uint64_t first) {
  Words words(file.buffer_words());
  std::iota(words.begin(), words.end(), first);
  return words;
}

class Records : public Scratch {
 protected:
  const RecordShape shape{.num_records = 10, .record_bytes = 44};  // 5.5 words
  const fs::path path = folder / "r.cache";

  RecordFile make() const { return RecordFile::create(path, "what they are", shape); }
  State read(const RecordFile& file, std::int64_t record, std::uint64_t key = 7) const {
    Words words(file.buffer_words());
    return file.read(record, key, words.data());
  }
  std::size_t files_there() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(folder), {}));
  }
};

TEST(CheckedWords, EveryFlippedBitOfAWordIsSeen) {
  const Words words{1, 0, ~std::uint64_t{0}, 0x1234567890abcdef, 5, 0, 77};
  Words copy(words.size());
  const auto sum = copy_from_shared(words.data(), copy.data(), words.size(), 3);
  EXPECT_EQ(copy, words);
  EXPECT_EQ(sum, checksum_of(words.data(), words.size() * 8, 3));
  EXPECT_NE(sum, checksum_of(words.data(), words.size() * 8, 4)) << "the seed counts";
  EXPECT_NE(sum, 0);
  for (std::size_t bit = 0; bit < words.size() * 64; ++bit) {
    Words other = words;
    other[bit / 64] ^= std::uint64_t{1} << (bit % 64);
    EXPECT_NE(sum, checksum_of(other.data(), other.size() * 8, 3)) << bit;
  }
  EXPECT_NE(checksum_of("abc", 3, 0), checksum_of("abd", 3, 0)) << "bytes that fill no word";
  EXPECT_NE(checksum_of("", 0, 0), checksum_of("\0\0\0\0\0\0\0\0", 8, 0)) << "the length counts";
}

TEST_F(Records, AnotherProcessReadsWhatWasWritten) {
  RecordFile file = make();
  EXPECT_EQ(fs::file_size(path), RecordFile::bytes_of("what they are", shape)) << "of its full size at once";
  EXPECT_EQ(file.num_written(), 0);
  file.write(4, 7, words_of(file, 100).data());
  file.set_note("learned");
  const auto again = RecordFile::open(path);
  ASSERT_TRUE(again);
  EXPECT_EQ(again->text(), "what they are");
  EXPECT_EQ(again->note(), "learned");
  EXPECT_EQ(again->repair(), "");
  EXPECT_EQ(again->shape().num_records, 10);
  EXPECT_EQ(again->shape().record_bytes, 44);
  Words words(again->buffer_words());
  EXPECT_EQ(words.size(), 6);
  EXPECT_EQ(again->read(4, 7, words.data()), State::good);
  EXPECT_EQ(words, words_of(file, 100));
  EXPECT_EQ(again->read(4, 8, words.data()), State::stale) << "made from something else";
  EXPECT_EQ(again->read(3, 7, words.data()), State::missing);
  EXPECT_TRUE(again->is_written(4));
  EXPECT_EQ(again->num_written(), 1);
  EXPECT_EQ(files_there(), 1) << "nothing temporary is left";
}

TEST_F(Records, AFlippedBitAnywhereInARecordIsFound) {
  RecordFile file = make();
  for (std::int64_t i = 0; i < 10; ++i) file.write(i, 7, words_of(file, 1).data());
  const std::int64_t records = -10 * 48, entries = records - 10 * 16;
  for (const std::int64_t offset : {0, 21, 47}) {
    flip_bit(path, records + 5 * 48 + offset);
    EXPECT_EQ(read(file, 5), State::damaged) << offset;
    EXPECT_EQ(read(file, 4), State::good);
    EXPECT_EQ(read(file, 6), State::good);
    file.write(5, 7, words_of(file, 1).data());
    EXPECT_EQ(read(file, 5), State::good);
  }
  flip_bit(path, entries + 6 * 16);  // its key
  EXPECT_EQ(read(file, 6), State::damaged);
}

TEST_F(Records, AShortFileKeepsWhatItHolds) {
  {
    RecordFile file = make();
    for (std::int64_t i = 0; i < 10; ++i) file.write(i, 7, words_of(file, 1).data());
  }
  const std::uint64_t whole = fs::file_size(path);
  fs::resize_file(path, whole - 3 * 48 + 5);
  const auto file = RecordFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_THAT(file->repair(), HasSubstr(fmt::format("cut short: {} of {} bytes", whole - 3 * 48 + 5, whole)));
  EXPECT_EQ(fs::file_size(path), whole);
  EXPECT_EQ(file->num_written(), 7);
  EXPECT_EQ(read(*file, 6), State::good);
  EXPECT_EQ(read(*file, 7), State::missing) << "cut in its middle";
  EXPECT_EQ(read(*file, 9), State::missing);
}

TEST_F(Records, CutShortInUseIsAnErrorAndNoCrash) {
  const RecordFile file = make();
  file.require_whole();
  fs::resize_file(path, 100);
  EXPECT_THAT(error_of(ExitCode::io, [&] { file.require_whole(); }),
              HasSubstr("cut short while it is in use"));
}

TEST_F(Records, ADamagedHeadIsNoFile) {
  make();
  const std::uint64_t whole = fs::file_size(path);
  for (const std::int64_t offset : {9, 17, 25, 33, 41}) {  // sizes, checksum, text
    flip_bit(path, offset);
    EXPECT_FALSE(RecordFile::open(path)) << offset;
    fs::remove(path);
    make();
  }
  for (const std::uint64_t size :
       {std::uint64_t{0}, std::uint64_t{3}, std::uint64_t{20}, std::uint64_t{45}}) {
    fs::resize_file(path, size);
    EXPECT_FALSE(RecordFile::open(path)) << size;
    fs::remove(path);
    make();
  }
  EXPECT_EQ(fs::file_size(path), whole);
}

TEST_F(Records, AForeignFileIsNotTouched) {
  std::ofstream(path) << "a poem";
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { RecordFile::open(path); }), HasSubstr(path.string()));
  EXPECT_EQ(read_file(path), "a poem");
  error_of(ExitCode::refused, [&] { RecordFile::open(folder); });
}

TEST_F(Records, AFullDiskIsToldWithItsBytesAndLeavesNothing) {
  const RecordShape huge{.num_records = 1 << 30, .record_bytes = 1 << 24};
  const std::string message = error_of(ExitCode::io, [&] { RecordFile::create(path, "", huge); });
  EXPECT_THAT(message, HasSubstr(fmt::format("{} bytes needed", RecordFile::bytes_of("", huge))));
  EXPECT_THAT(message, HasSubstr(" free: disk full"));
  EXPECT_EQ(files_there(), 0);
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { RecordFile::create("/proc/none/r.cache", "", shape); }),
              HasSubstr("/proc/none/r.cache"));
}

TEST_F(Records, WhoComesSecondGetsTheFileOfTheFirst) {
  RecordFile first = make();
  first.write(2, 7, words_of(first, 1).data());
  const RecordFile second = make();
  EXPECT_EQ(read(second, 2), State::good);
}

TEST_F(Records, ANoteThatIsDamagedIsNone) {
  RecordFile file = make();
  EXPECT_EQ(file.note(), "");
  file.set_note("a");
  file.set_note("another");
  EXPECT_EQ(file.note(), "another");
  flip_bit(path, 56);  // head 40, text 13, padded to 56: where the note lies
  EXPECT_EQ(file.note(), "");
}

// For the thread sanitizer: writers and readers of the same records, without a lock. Whatever is called good
// is one writer's record, whole.
TEST_F(Records, ThreadsMayWriteAndReadTheSameRecords) {
  RecordFile file = RecordFile::create(path, "", {.num_records = 4, .record_bytes = 512});
  std::atomic<bool> stop{false};
  std::atomic<std::int64_t> good{0}, torn{0};
  std::vector<std::thread> threads;
  for (std::uint64_t writer = 1; writer <= 2; ++writer)
    threads.emplace_back([&, writer] {
      const Words words(file.buffer_words(), writer);
      for (int i = 0; !stop; ++i) file.write(i % 4, 7, words.data());
    });
  for (int reader = 0; reader < 2; ++reader)
    threads.emplace_back([&] {
      Words words(file.buffer_words());
      for (int i = 0; !stop; ++i) {
        if (file.read(i % 4, 7, words.data()) != State::good) continue;
        ++good;
        if (words != Words(words.size(), words.front())) ++torn;
      }
    });
  while (good < 2000) std::this_thread::yield();
  stop = true;
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(file.num_written(), 4);
}

TEST_F(Records, OfDifferentSizesStandSideBySide) {
  const RecordShape ragged = RecordShape::ragged({24, 0, 5, 800, 8});
  EXPECT_EQ(ragged.ends, (std::vector<std::uint64_t>{24, 24, 32, 832, 840}));
  EXPECT_EQ(ragged.record_bytes, 800);
  {
    RecordFile file = RecordFile::create(path, "ragged", ragged);
    EXPECT_EQ(fs::file_size(path), RecordFile::bytes_of("ragged", ragged));
    for (std::int64_t i = 0; i < 5; ++i)
      file.write(i, 7, words_of(file, 100 * static_cast<std::uint64_t>(i)).data());
  }
  const auto file = RecordFile::open(path);
  ASSERT_TRUE(file);
  EXPECT_EQ(file->text(), "ragged");
  EXPECT_EQ(file->shape().ends, ragged.ends);
  const std::size_t sizes[] = {3, 0, 1, 100, 1};  // in words
  for (std::int64_t i = 0; i < 5; ++i) {
    Words words(file->buffer_words(), 1);
    EXPECT_EQ(file->read(i, 7, words.data()), State::good) << i;
    const std::size_t size = sizes[i];
    for (std::size_t w = 0; w < words.size(); ++w)
      EXPECT_EQ(words[w], w < size ? 100 * static_cast<std::uint64_t>(i) + w : 1) << i << " " << w;
  }
}

TEST_F(Records, ADamagedTableOfEndsIsADamagedHead) {
  RecordFile::create(path, "ragged", RecordShape::ragged({24, 16, 8}));
  flip_bit(path, 48);  // behind the head and the padded text
  EXPECT_FALSE(RecordFile::open(path));
}

}  // namespace
}  // namespace mgd
