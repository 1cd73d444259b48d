#include "mgd/core/file.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <atomic>
#include <csignal>
#include <fstream>
#include <thread>

#include "core/scratch.h"
#include "expect_error.h"
#include "mgd/core/error.h"
#include "mgd/core/input_file.h"

namespace mgd {
namespace {

using testing::HasSubstr;

class File : public Scratch {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return folder / name;
  }
  int num_names() const {
    return static_cast<int>(std::distance(fs::directory_iterator(folder), fs::directory_iterator()));
  }
};

TEST_F(File, ReadsTheWholeFile) {
  const std::string bytes("a\0b\xff\n", 5);
  EXPECT_EQ(read_file(write("x", bytes)), bytes);
  EXPECT_EQ(read_file(write("x", bytes), 5), bytes);
  EXPECT_EQ(read_file(write("empty", ""), 0), "");
}

TEST_F(File, ALinkToAFileIsRead) {
  fs::create_symlink(write("x", "text"), folder / "link");
  EXPECT_EQ(read_file(folder / "link"), "text");
}

TEST_F(File, TooLargeAndMissingAreNamed) {
  const fs::path path = write("x", "12345");
  EXPECT_EQ(error_of(ExitCode::bad_data, [&] { read_file(path, 4); }),
            path.string() + ": 5 bytes, at most 4 expected");
  EXPECT_EQ(error_of(ExitCode::missing_input, [&] { read_file(folder / "none"); }),
            (folder / "none").string() + ": No such file or directory");
  error_of(ExitCode::missing_input, [&] { read_file(path / "below_a_file"); });
  error_of(ExitCode::missing_input, [&] { sha256_file(folder / "none"); });
}

// A file of a terabyte without a block on the disk: judged by its size before anything is allocated.
TEST_F(File, AHugeSparseFileIsRefusedByItsSize) {
  const fs::path path = write("sparse", "");
  fs::resize_file(path, std::uintmax_t{1} << 40);
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { read_file(path); }), HasSubstr("1099511627776 bytes"));
}

// Reading one of these may never end.
TEST_F(File, OnlyRegularFilesAreRead) {
  const fs::path fifo = folder / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  fs::create_directory(folder / "dir");
  fs::create_symlink("/dev/zero", folder / "link.safetensors");
  const std::pair<fs::path, const char*> cases[] = {
      {fifo, "not a regular file but a FIFO"},
      {"/dev/zero", "not a regular file but a device"},
      {folder / "link.safetensors", "not a regular file but a device"},
      {folder / "dir", "not a regular file but a folder"}};
  for (const auto& [path, expected] : cases) {
    EXPECT_THAT(error_of(ExitCode::refused, [&, p = path] { read_file(p); }), HasSubstr(expected));
    EXPECT_THAT(error_of(ExitCode::refused, [&, p = path] { sha256_file(p); }), HasSubstr(path.string()));
  }
}

// The content may be cut, or the read be refused; a signal would end the test program.
TEST_F(File, AFileCutWhileItIsReadIsAnErrorOrReadBefore) {
  const fs::path path = folder / "cut";
  const std::string bytes(8 << 20, 'x');
  int cut = 0;
  for (int round = 0; round < 6; ++round) {
    write("cut", bytes);
    std::thread cutter([&] { fs::resize_file(path, 100); });
    try {
      const std::string got = read_file(path);
      EXPECT_TRUE(got.size() == bytes.size() || got.size() == 100) << got.size();
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::io);
      EXPECT_THAT(error.what(), HasSubstr("cut short while it was read"));
      ++cut;
    }
    cutter.join();
  }
  RecordProperty("cut", cut);
}

TEST_F(File, WritesAndReplaces) {
  const fs::path path = folder / "x";
  write_file_atomic(path, "first, and longer");
  write_file_atomic(path, std::string_view("sec\0nd", 6));
  EXPECT_EQ(read_file(path), std::string("sec\0nd", 6));
  write_file_atomic(path, "");
  EXPECT_EQ(read_file(path), "");
  EXPECT_EQ(num_names(), 1);
}

TEST_F(File, ABareNameIsWrittenIntoTheCurrentFolder) {
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  write_file_atomic("bare", "text");
  fs::current_path(before);
  EXPECT_EQ(read_file(folder / "bare"), "text");
  EXPECT_EQ(parent_of("bare"), ".");
}

TEST_F(File, AReaderSeesTheOldOrTheNewContent) {
  const fs::path path = folder / "x";
  const std::string a(300'000, 'a'), b(200'000, 'b');
  write_file_atomic(path, a);
  std::atomic<bool> done = false;
  std::thread writer([&] {
    for (int i = 0; i < 12; ++i) write_file_atomic(path, i % 2 == 0 ? b : a);
    done = true;
  });
  while (!done) {
    const std::string got = read_file(path);
    EXPECT_TRUE(got == a || got == b) << got.size();
  }
  writer.join();
}

// Even root cannot write below a file.
TEST_F(File, WhatCannotBeCreatedIsNamed) {
  const fs::path path = write("file", "text") / "x";
  EXPECT_EQ(error_of(ExitCode::cannot_create, [&] { write_file_atomic(path, "y"); }),
            path.string() + ": cannot be created: Not a directory");
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { write_file_atomic(folder / "none" / "x", "y"); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { write_file_synced(folder / "none" / "x", "y"); }),
              HasSubstr("No such file or directory"));
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { write_file_atomic("/proc/mgd", "y"); }),
              HasSubstr("/proc/mgd"));
  fs::create_directory(folder / "dir");
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { write_file_atomic(folder / "dir", "y"); }),
              HasSubstr("cannot be replaced: Is a directory"));
  EXPECT_EQ(num_names(), 2);
}

TEST_F(File, AFullDeviceSaysWhatIsNeeded) {
  EXPECT_THAT(error_of(ExitCode::io, [&] { write_file_synced("/dev/full", "12345"); }),
              testing::ContainsRegex("/dev/full: disk full: 5 bytes needed, [0-9]+ free"));
}

TEST_F(File, FsyncOfWhatIsNoFolder) {
  EXPECT_THAT(error_of(ExitCode::io, [&] { fsync_directory(folder / "none"); }), HasSubstr("fsync failed"));
  EXPECT_NO_THROW(fsync_directory(folder));
}

TEST_F(File, PartsAreReadWhereTheyAre) {
  const InputFile file(write("parts", "0123456789"));
  char out[4] = {};
  file.read_at(7, out, 3);
  EXPECT_STREQ(out, "789");
  EXPECT_EQ(file.read(out, 3), 3U);
  EXPECT_STREQ(out, "012");
  EXPECT_THAT(error_of(ExitCode::io, [&] { file.read_at(8, out, 3); }), HasSubstr("ends before byte 11"));
}

// FIPS 180-2, appendix B.
TEST_F(File, Sha256KnownAnswers) {
  EXPECT_EQ(sha256_hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(sha256_hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256_file(write("million", std::string(1'000'000, 'a'))),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

}  // namespace
}  // namespace mgd
