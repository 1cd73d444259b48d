#include "mgd/format/archive.h"

#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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
                   int filter = ARCHIVE_FILTER_NONE) {
    const std::string path = (folder_ / name).string();
    ::archive* tar = archive_write_new();
    archive_write_set_format_pax_restricted(tar);
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
  for (const int filter :
       {ARCHIVE_FILTER_NONE, ARCHIVE_FILTER_GZIP, ARCHIVE_FILTER_XZ, ARCHIVE_FILTER_ZSTD}) {
    const auto tree = open_file_tree(make("any-name", members, filter));
    ASSERT_EQ(tree->entries().size(), 4u);
    EXPECT_EQ(tree->entries()[0].name, "a/\xc3\xa9.png");
    EXPECT_EQ(tree->entries()[1].name, "b/1.png");
    EXPECT_EQ(tree->entries()[3].name, long_name);
    EXPECT_EQ(tree->entries()[1].size, 70000u);
    EXPECT_EQ(tree->read(0), "");
    EXPECT_EQ(tree->read(1), std::string(70000, 'x'));
    EXPECT_EQ(tree->read(2), "two");
    EXPECT_EQ(tree->read(3), "long");
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
  fs::create_symlink("/etc/passwd", folder_ / "root/c");
  EXPECT_EQ(error_of((folder_ / "root").string()).first, ExitCode::refused);
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
