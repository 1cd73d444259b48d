#include "mgd/core/publish.h"

#include <gmock/gmock.h>
#include <sys/wait.h>

#include <fstream>
#include <functional>
#include <set>

#include "core/scratch.h"
#include "expect_error.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Publish : public Scratch {
 protected:
  void publish(const fs::path& target, const std::string& content, bool manifest = true) const {
    DirectoryPublisher publisher(target);
    publisher.add("a.bin", content);
    publisher.add("b.bin", "");
    publisher.publish(manifest);
  }
  void write(const fs::path& path, const std::string& bytes) const {
    std::ofstream(path, std::ios::binary) << bytes;
  }
  std::set<std::string> names(const fs::path& of) const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(of)) all.insert(entry.path().filename().string());
    return all;
  }
  // A name as a writer of another process leaves it: without a lock.
  fs::path leave(const std::string& name) const {
    fs::create_directories(folder / name);
    write(folder / name / "x", "y");
    return folder / name;
  }
};

TEST_F(Publish, PublishesReplacesAndVerifies) {
  publish(folder / "m", "old");
  EXPECT_THAT(names(folder / "m"), ElementsAre("a.bin", "b.bin", "manifest.json"));
  write(folder / "m" / "stray", "of the old folder");
  publish(folder / "m", "new");
  EXPECT_EQ(read_file(folder / "m" / "a.bin"), "new");
  EXPECT_THAT(names(folder / "m"), ElementsAre("a.bin", "b.bin", "manifest.json"));
  EXPECT_EQ(verify_manifest(folder / "m"), "");
  EXPECT_THAT(names(folder), ElementsAre("m"));
}

// Files larger than memory are written bit by bit; the manifest knows them like the others.
TEST_F(Publish, FilesWrittenBitByBit) {
  std::string all;
  {
    DirectoryPublisher publisher(folder / "m");
    OutputFile file = publisher.create("big.bin");
    for (int i = 0; i < 3000; ++i) {
      const std::string part(1000, static_cast<char>('a' + i % 26));
      file.write(part);
      all += part;
    }
    publisher.add(file);
    publisher.publish();
  }
  EXPECT_EQ(read_file(folder / "m" / "big.bin"), all);
  EXPECT_EQ(parse_manifest(read_file(folder / "m" / "manifest.json")).at("big.bin").sha256, sha256_hex(all));
  EXPECT_EQ(verify_manifest(folder / "m"), "");
}

TEST_F(Publish, WithoutManifest) {
  publish(folder / "m", "x", false);
  EXPECT_THAT(names(folder / "m"), ElementsAre("a.bin", "b.bin"));
  EXPECT_THAT(verify_manifest(folder / "m"), HasSubstr("manifest.json: No such file"));
}

TEST_F(Publish, TargetsOfEveryForm) {
  fs::create_directory(folder / "empty");
  publish(folder / "empty", "x");
  publish((folder / "slash").string() + "/", "x");
  const fs::path before = fs::current_path();
  fs::current_path(folder);
  publish("bare", "x");
  publish("bare", "y");
  fs::current_path(before);
  for (const char* name : {"empty", "slash", "bare"}) EXPECT_EQ(verify_manifest(folder / name), "") << name;
  EXPECT_THAT(names(folder), ElementsAre("bare", "empty", "slash"));
}

TEST_F(Publish, WhatIsNotPublishedLeavesNothing) {
  publish(folder / "m", "old");
  {
    DirectoryPublisher publisher(folder / "m");
    publisher.add("a.bin", "new");
    EXPECT_EQ(names(folder).size(), 2u);
  }
  EXPECT_THAT(names(folder), ElementsAre("m"));
  EXPECT_EQ(read_file(folder / "m" / "a.bin"), "old");
}

// A user's file or link of that name is not ours to delete.
TEST_F(Publish, OnlyAFolderIsReplaced) {
  write(folder / "file", "precious");
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { publish(folder / "file", "x"); }),
              HasSubstr("file: cannot be created: a file of that name stands there"));
  EXPECT_EQ(read_file(folder / "file"), "precious");
  leave("elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / "link");
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { publish(folder / "link", "x"); }),
              HasSubstr("a link of that name"));
  EXPECT_THAT(names(folder / "elsewhere"), ElementsAre("x"));
  EXPECT_THAT(names(folder), ElementsAre("elsewhere", "file", "link"));
}

TEST_F(Publish, AFileThatAppearsMeanwhileStays) {
  DirectoryPublisher publisher(folder / "m");
  publisher.add("a.bin", "x");
  write(folder / "m", "precious");
  error_of(ExitCode::cannot_create, [&] { publisher.publish(); });
  EXPECT_EQ(read_file(folder / "m"), "precious");
}

TEST_F(Publish, AParentThatCannotBeWrittenIsFoundAtOnce) {
  write(folder / "file", "");
  EXPECT_EQ(error_of(ExitCode::cannot_create, [&] { DirectoryPublisher publisher(folder / "file" / "m"); }),
            (folder / "file" / "m").string() + ": cannot be created: Not a directory");
  EXPECT_THAT(error_of(ExitCode::cannot_create, [&] { DirectoryPublisher publisher(folder / "none" / "m"); }),
              HasSubstr("No such file or directory"));
}

TEST_F(Publish, TwoWritersOfOneNameDoNotMeet) {
  DirectoryPublisher first(folder / "m"), second(folder / "m");
  first.add("a.bin", "first");
  second.add("a.bin", "second");
  first.publish();
  EXPECT_EQ(read_file(folder / "m" / "a.bin"), "first");
  second.publish();
  EXPECT_EQ(read_file(folder / "m" / "a.bin"), "second");
  EXPECT_THAT(names(folder), ElementsAre("m"));
}

// 5: bit flips, cuts and missing files are each named.
TEST_F(Publish, DamageIsNamed) {
  publish(folder / "m", "0123456789");
  const fs::path file = folder / "m" / "a.bin";
  for (std::size_t bit = 0; bit < 80; bit += 9) {
    std::string bytes = "0123456789";
    bytes[bit / 8] = static_cast<char>(bytes[bit / 8] ^ (1 << (bit % 8)));
    write(file, bytes);
    EXPECT_EQ(verify_manifest(folder / "m"), "a.bin does not match its SHA-256") << bit;
  }
  write(file, "012345678");
  EXPECT_EQ(verify_manifest(folder / "m"), "a.bin has 9 bytes, the manifest says 10");
  fs::remove(file);
  EXPECT_EQ(verify_manifest(folder / "m"), "a.bin is missing");
  fs::create_directory(file);
  EXPECT_EQ(verify_manifest(folder / "m"), "a.bin is not a regular file");
  fs::remove_all(folder / "m");
  EXPECT_THAT(verify_manifest(folder / "m"), HasSubstr("No such file"));
}

TEST_F(Publish, AHostileManifestIsAnAnswerAndNoException) {
  const std::string sha = sha256_hex("");
  const std::pair<std::string, const char*> cases[] = {
      {"", "manifest.json is damaged"},
      {"{", "manifest.json is damaged"},
      {"[]", "manifest.json is damaged"},
      {"null", "manifest.json is damaged"},
      {R"({"version":1})", "manifest.json is damaged"},
      {R"({"version":2,"files":{}})", "unknown version"},
      {R"({"version":1,"files":[]})", "manifest.json is damaged"},
      {R"({"version":1,"files":{"a":7}})", "manifest.json is damaged"},
      {R"({"version":1,"files":{"a":{"bytes":-1,"sha256":""}}})", "manifest.json is damaged: the size of a"},
      {R"({"version":1,"files":{"a":{"bytes":"1","sha256":""}}})", "manifest.json is damaged: the size of a"},
      {R"({"version":1,"files":{"a":{"bytes":1,"sha256":1}}})", "manifest.json is damaged"},
      {R"({"version":1,"files":{"../a":{"bytes":0,"sha256":""}}})", "no file of its folder"},
      {R"({"version":1,"files":{"..":{"bytes":0,"sha256":""}}})", "no file of its folder"},
      {R"({"version":1,"files":{"/etc/passwd":{"bytes":0,"sha256":""}}})", "no file of its folder"},
      {R"({"version":1,"files":{"a\u0000b":{"bytes":0,"sha256":""}}})", "no file of its folder"},
      {R"({"version":1,"files":{")" + std::string(5000, 'x') + R"(":{"bytes":0,"sha256":""}}})", ""},
      {std::string(100'000, '['), "manifest.json is damaged"},
      {std::string((1 << 20) + 1, ' '), "at most 1048576 expected"},
  };
  fs::create_directory(folder / "m");
  for (const auto& [text, expected] : cases) {
    write(folder / "m" / "manifest.json", text);
    const std::string answer = verify_manifest(folder / "m");
    EXPECT_NE(answer, "") << text.substr(0, 100);
    EXPECT_THAT(answer, HasSubstr(expected)) << text.substr(0, 100);
  }
}

TEST_F(Publish, ManifestsAreReadBack) {
  const Manifest files{{"a", {.bytes = 7, .sha256 = "aa"}},
                       {"b \"\n", {.bytes = std::uint64_t{1} << 63, .sha256 = "bb"}}};
  const Manifest read = parse_manifest(manifest_json(files));
  ASSERT_EQ(read.size(), 2u);
  EXPECT_EQ(read.at("b \"\n").bytes, std::uint64_t{1} << 63);
  EXPECT_EQ(read.at("a").sha256, "aa");
  EXPECT_TRUE(parse_manifest(manifest_json({})).empty());
}

TEST_F(Publish, StaleNamesAreRemovedAndNoOthers) {
  leave(".tmp-m-1-0");  // that process lives, but it is not the writer
  leave(fmt::format(".tmp-m-{}-0", ::getpid()));
  leave(".tmp-name-with-dashes-123-45");
  write(folder / ".tmp-latest-99-1", "half");
  const std::set<std::string> kept{".tmp-notes", ".tmp-m-12", ".tmp--1-2", ".tmp-m-1-x",
                                   ".tmp-",      "tmp-m-1-2", ".tmp-m-1-", "m"};
  for (const auto& name : kept) leave(name);
  EXPECT_EQ(remove_stale_staging(folder), 4);
  EXPECT_EQ(names(folder), kept);
  EXPECT_EQ(remove_stale_staging(folder), 0);
  EXPECT_EQ(remove_stale_staging(folder / "none"), 0);
}

TEST_F(Publish, ALivingWriterIsLeftAlone) {
  DirectoryPublisher publisher(folder / "m");
  publisher.add("a.bin", "x");
  EXPECT_EQ(remove_stale_staging(folder), 0);
  // Nor from another process.
  const pid_t child = ::fork();
  if (child == 0) ::_exit(remove_stale_staging(folder));
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_EQ(WEXITSTATUS(status), 0);
  publisher.publish();
  EXPECT_EQ(verify_manifest(folder / "m"), "");
}

TEST_F(Publish, ALinkNamedLikeStagingLosesOnlyItself) {
  leave("elsewhere");
  fs::create_directory_symlink(folder / "elsewhere", folder / ".tmp-m-1-2");
  remove_stale_staging(folder);
  EXPECT_THAT(names(folder / "elsewhere"), ElementsAre("x"));
}

TEST_F(Publish, AFolderPutAsideComesBackOnlyWhereNoneStands) {
  publish(folder / "there", "new");
  leave(".old-lost-12-0");
  leave(".old-there-12-0");
  EXPECT_EQ(remove_stale_staging(folder), 2);
  EXPECT_THAT(names(folder), ElementsAre("lost", "there"));
  EXPECT_THAT(names(folder / "lost"), ElementsAre("x"));
  EXPECT_EQ(verify_manifest(folder / "there"), "");
}

}  // namespace
}  // namespace mgd
