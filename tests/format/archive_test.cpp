#include "mgd/format/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "mgd/core/error.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;

struct Member {
  std::string name, content;
  unsigned type = AE_IFREG;
  std::string link = {};
};

class ArchiveTest : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("mgd_archive_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string make(const std::string& name, const std::vector<Member>& members,
                   int filter = ARCHIVE_FILTER_NONE, bool zipped = false) {
    const std::string path = (folder_ / name).string();
    ::archive* tar = archive_write_new();
    zipped ? archive_write_set_format_zip(tar) : archive_write_set_format_pax_restricted(tar);
    archive_write_add_filter(tar, filter);
    EXPECT_EQ(archive_write_open_filename(tar, path.c_str()), ARCHIVE_OK);
    for (const auto& member : members) {
      ::archive_entry* entry = archive_entry_new();
      archive_entry_set_pathname(entry, member.name.c_str());
      archive_entry_set_filetype(entry, member.type);
      archive_entry_set_perm(entry, 0644);
      if (member.type == AE_IFLNK) archive_entry_set_symlink(entry, member.link.c_str());
      if (member.type == AE_IFREG && !member.link.empty())
        archive_entry_set_hardlink(entry, member.link.c_str());
      archive_entry_set_size(entry, static_cast<la_int64_t>(member.content.size()));
      EXPECT_GE(archive_write_header(tar, entry), ARCHIVE_WARN) << archive_error_string(tar);
      archive_write_data(tar, member.content.data(), member.content.size());
      archive_entry_free(entry);
    }
    archive_write_close(tar);
    archive_write_free(tar);
    return path;
  }

  static std::pair<ExitCode, std::string> error_of(const std::string& path,
                                                   std::uint64_t max_bytes = 1 << 20) {
    try {
      open_file_tree(path, {}, max_bytes);
    } catch (const Error& error) {
      return {error.code(), error.what()};
    }
    return {ExitCode::ok, "no error"};
  }

  fs::path folder_;
};

TEST_F(ArchiveTest, EveryKindReadsTheSame) {
  const std::string long_name = "train/" + std::string(150, 'n') + "/x";  // beyond what a plain header holds
  const std::vector<Member> members = {{"./b/2.png", "two"},  {"b/1.png", std::string(70000, 'x')},
                                       {"./", "", AE_IFDIR},  {"a/\xc3\xa9.png", ""},
                                       {".DS_Store", "junk"}, {"__MACOSX/a/1.png", "junk"},
                                       {long_name, "long"}};
  for (const int filter : {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD,
                           ARCHIVE_FILTER_BZIP2, -1}) {
    const auto tree =
        open_file_tree(make("any-name", members, std::max(filter, ARCHIVE_FILTER_NONE), filter < 0));
    ASSERT_EQ(tree->entries().size(), 4u);
    EXPECT_EQ(tree->entries()[0].name, "a/\xc3\xa9.png");
    EXPECT_EQ(tree->entries()[1].name, "b/1.png");
    EXPECT_EQ(tree->entries()[3].name, long_name);
    EXPECT_EQ(tree->entries()[1].size, 70000u);
    EXPECT_EQ(tree->read(0), "");
    EXPECT_EQ(tree->read(1), std::string(70000, 'x'));
    EXPECT_EQ(tree->read(2), "two");
    EXPECT_EQ(tree->read(3), "long");
    EXPECT_EQ(tree->read_start(1, 5), "xxxxx");
    EXPECT_EQ(tree->read_start(2, 5), "two");
  }
}

TEST_F(ArchiveTest, Folder) {
  fs::create_directories(folder_ / "root/b");
  std::ofstream(folder_ / "root/b/1") << "one";
  std::ofstream(folder_ / "root/.hidden") << "no";
  fs::create_symlink("b/1", folder_ / "root/a");
  const auto tree = open_file_tree((folder_ / "root").string());
  ASSERT_EQ(tree->entries().size(), 2u);
  EXPECT_EQ(tree->read(0), "one");
  EXPECT_EQ(tree->entries()[1].name, "b/1");
  EXPECT_EQ(tree->read_start(0, 2), "on");
  EXPECT_EQ(tree->folders(), std::vector<std::string>{"b"});
}

TEST_F(ArchiveTest, LinksOfAFolderAreFollowedWhereverTheyLead) {
  fs::create_directories(folder_ / "store/cat");
  std::ofstream(folder_ / "store/cat/1.png") << "cat";
  std::ofstream(folder_ / "store/dog.png") << "dog";
  fs::create_directories(folder_ / "root/dog");
  fs::create_directory_symlink(folder_ / "store/cat", folder_ / "root/cat");
  fs::create_directory_symlink(folder_ / "store/cat", folder_ / "root/kitten");  // twice is no loop
  fs::create_symlink("../../store/dog.png", folder_ / "root/dog/1.png");
  const auto tree = open_file_tree((folder_ / "root").string());
  ASSERT_EQ(tree->entries().size(), 3u);
  EXPECT_EQ(tree->entries()[0].name, "cat/1.png");
  EXPECT_EQ(tree->read(0), "cat");
  EXPECT_EQ(tree->read(1), "dog");
  EXPECT_EQ(tree->entries()[1].size, 3u);
  fs::create_symlink("nowhere.png", folder_ / "root/dog/2.png");
  const auto [code, text] = error_of((folder_ / "root").string());
  EXPECT_EQ(code, ExitCode::missing_input);
  EXPECT_THAT(text, testing::AllOf(testing::HasSubstr("'dog/2.png'"), testing::HasSubstr("'nowhere.png'")));
  const auto cats = open_file_tree((folder_ / "root").string(),
                                   [](const std::string& name) { return name.starts_with("cat/"); });
  EXPECT_EQ(cats->entries().size(), 1u);
  EXPECT_EQ(cats->others().size(), 3u);
}

TEST_F(ArchiveTest, LoopsOfLinksAreRefusedByName) {
  fs::create_directories(folder_ / "root/a/b");
  fs::create_directory_symlink("../..", folder_ / "root/a/b/up");
  const auto expect_loop = [&](const std::string& name) {
    const auto [code, text] = error_of((folder_ / "root").string());
    EXPECT_EQ(code, ExitCode::refused) << text;
    EXPECT_THAT(text, testing::AllOf(testing::HasSubstr("'" + name + "'"), testing::HasSubstr("loop")));
  };
  expect_loop("a/b/up");
  fs::remove(folder_ / "root/a/b/up");
  fs::create_directory_symlink(".", folder_ / "root/a/self");
  expect_loop("a/self");
  fs::remove(folder_ / "root/a/self");
  fs::create_symlink("pong", folder_ / "root/ping");
  fs::create_symlink("ping", folder_ / "root/pong");
  const auto [code, text] = error_of((folder_ / "root").string());
  EXPECT_EQ(code, ExitCode::refused);
  EXPECT_THAT(text, testing::HasSubstr("loop"));
  fs::remove_all(folder_ / "root");
  // No loop, but two links in each of many folders: 2^60 paths.
  for (int i = 0; i < 60; ++i) {
    fs::create_directories(folder_ / fmt::format("root/{}", i));
    for (const char* side : {"left", "right"})
      if (i > 0)
        fs::create_directory_symlink(fmt::format("../{}", i - 1),
                                     folder_ / fmt::format("root/{}/{}", i, side));
  }
  EXPECT_EQ(error_of((folder_ / "root").string()).first, ExitCode::refused);
}

TEST_F(ArchiveTest, EmptyFoldersAreToldOf) {
  fs::create_directories(folder_ / "root/train/empty");
  fs::create_directories(folder_ / "root/.git/objects");
  std::ofstream(folder_ / "root/train/1.png") << "one";
  EXPECT_EQ(open_file_tree((folder_ / "root").string())->folders(),
            (std::vector<std::string>{"train", "train/empty"}));
  for (const bool zipped : {false, true}) {
    const auto packed = open_file_tree(make(
        "packed", {{"train/empty/", "", AE_IFDIR}, {"train/1.png", "one"}}, ARCHIVE_FILTER_NONE, zipped));
    EXPECT_EQ(packed->folders(), std::vector<std::string>{"train/empty"}) << zipped;
    EXPECT_EQ(packed->entries().size(), 1u);
  }
}

TEST_F(ArchiveTest, HostileEntriesAreRefused) {
  for (const int filter : {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_XZ}) {
    for (const Member& member :
         {Member{"../evil", "x"}, Member{"/etc/evil", "x"}, Member{"a/../../evil", "x"},
          Member{"link", "", AE_IFLNK, "/etc/passwd"}, Member{"hard", "", AE_IFREG, "good"},
          Member{"fifo", "", AE_IFIFO}, Member{"device", "", AE_IFCHR}}) {
      const auto [code, text] = error_of(make("hostile.tar", {{"good", "1"}, member}, filter));
      EXPECT_EQ(code, ExitCode::refused) << member.name << ": " << text;
      EXPECT_THAT(text, testing::HasSubstr(member.name));
    }
  }
  EXPECT_FALSE(fs::exists(folder_ / "../evil"));
}

TEST_F(ArchiveTest, DamageIsFound) {
  EXPECT_EQ(error_of((folder_ / "nothing").string()).first, ExitCode::missing_input);
  std::string noise(100000, '\0');
  for (std::size_t i = 0; i < noise.size(); ++i) noise[i] = static_cast<char>(i * i * 31 >> 7);
  for (const int filter :
       {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD}) {
    const std::string path = make("cut.tar", {{"a", noise}, {"b", noise}}, filter);
    fs::resize_file(path, fs::file_size(path) / 2 + 3);
    EXPECT_EQ(error_of(path).first, ExitCode::bad_data) << filter;
  }
  std::ofstream(folder_ / "text.tar") << "this is no archive at all, only text";
  EXPECT_EQ(error_of((folder_ / "text.tar").string()).first, ExitCode::bad_data);
  std::ofstream(folder_ / "empty.tar") << "";
  EXPECT_EQ(error_of((folder_ / "empty.tar").string()).first, ExitCode::bad_data);
  EXPECT_THAT(error_of(make("twice.tar", {{"a", "1"}, {"./a", "2"}})).second,
              testing::HasSubstr("'a' twice"));
}

TEST_F(ArchiveTest, HostileZipsAreRefused) {
  for (const Member& member :
       {Member{"../evil", "x"}, Member{"/etc/evil", "x"}, Member{"link", "", AE_IFLNK, "/etc/passwd"}}) {
    const auto [code, text] =
        error_of(make("hostile.zip", {{"good", "1"}, member}, ARCHIVE_FILTER_NONE, true));
    EXPECT_EQ(code, ExitCode::refused) << member.name << ": " << text;
  }
  const std::string path = make("cut.zip", {{"a", std::string(5000, 'x')}}, ARCHIVE_FILTER_NONE, true);
  fs::resize_file(path, fs::file_size(path) - 30);
  EXPECT_EQ(error_of(path).first, ExitCode::bad_data);
}

// Peak of a process that opens one archive or folder, in MiB; it is a copy of this one.
long peak_mib(const std::string& path) {
  const pid_t child = fork();
  if (child == 0) {
    int code = 0;
    try {
      open_file_tree(path, {});
    } catch (const Error& error) {
      code = static_cast<int>(error.code());
    }
    _exit(code);
  }
  rusage usage{};
  int status = 0;
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_THAT(static_cast<ExitCode>(WEXITSTATUS(status)),
              testing::AnyOf(ExitCode::refused, ExitCode::bad_data))
      << path;
  return usage.ru_maxrss / 1024;
}

TEST_F(ArchiveTest, BombsTakeLessThan256MiB) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a sanitizer's own memory would be measured";
#endif
  // 300 MB of zeros each. A zip says so beforehand; a stream shows it while it is unpacked.
  std::vector<Member> zeros = {{"train/a/1.png", std::string(300 << 20, '\0')}};
  const std::string zip = make("bomb.zip", zeros, ARCHIVE_FILTER_NONE, true);
  const std::string gz = make("bomb.tar.gz", zeros, ARCHIVE_FILTER_GZIP);
  const std::string liar = make("liar.zip", zeros, ARCHIVE_FILTER_NONE, true);
  std::string bytes;
  {
    std::ifstream file(liar, std::ios::binary);
    bytes.assign(std::istreambuf_iterator<char>(file), {});
  }
  // In the directory at its end it claims to hold 1000 bytes only.
  const std::size_t directory = bytes.rfind("PK\x01\x02");
  ASSERT_NE(directory, std::string::npos);
  for (std::size_t i = 0; i < 4; ++i) bytes[directory + 24 + i] = i == 0 ? '\xe8' : i == 1 ? '\x03' : '\0';
  std::ofstream(liar, std::ios::binary) << bytes;
  zeros.clear();
  bytes = {};
  EXPECT_LT(peak_mib(zip), 256);
  EXPECT_LT(peak_mib(gz), 256);
  EXPECT_LT(peak_mib(liar), 256);
}

TEST_F(ArchiveTest, BombIsBounded) {
  const std::string path = make("bomb.tar", {{"a", std::string(5 << 20, '\0')}}, ARCHIVE_FILTER_XZ);
  EXPECT_THAT(error_of(path, 1 << 20).second, testing::HasSubstr("more than the 1048576 bytes"));
  EXPECT_EQ(open_file_tree(
                path, [](const std::string&) { return false; }, 1 << 20)
                ->entries()
                .size(),
            0u);
}

}  // namespace
}  // namespace mgd
