// Saving while the process is killed, the disk fills or fsync fails, at every system call in turn:
// fault_shim.c is preloaded into fault/saver.cpp.
#include <gmock/gmock.h>
#include <sys/wait.h>

#include <fstream>
#include <set>

#include "core/scratch.h"
#include "mgd/core/error.h"
#include "mgd/core/publish.h"

namespace mgd {
namespace {

using testing::HasSubstr;

struct Outcome {
  bool killed = false;
  int status = 0;
  std::string message;
};

// The fault is set on the command line, so that only the saver meets it.
Outcome run_saver(const std::string& arguments, const std::string& fault, int at, const fs::path& message) {
  const std::string command = fmt::format(
      "exec env ASAN_OPTIONS=verify_asan_link_order=0 LD_PRELOAD='{}' MGD_FAULT={} MGD_FAULT_AT={} '{}' {} "
      "2>'{}'",
      MGD_FAULT_SHIM, fault, at, MGD_FAULT_SAVER, arguments, message.string());
  const int raw = std::system(command.c_str());
  return {.killed = WIFSIGNALED(raw) && WTERMSIG(raw) == SIGKILL,
          .status = WIFEXITED(raw) ? WEXITSTATUS(raw) : -1,
          .message = read_file(message)};
}

class Fault : public Scratch {
 protected:
  Outcome save(const std::string& kind, const fs::path& target, const std::string& content,
               const std::string& fault = "none", int at = 0) {
    return run_saver(fmt::format("{} '{}' {}", kind, (folder / target).string(), content), fault, at,
                     folder / "message");
  }

  // Which of the saver's folders stands at `target` and verifies: "old", "new" or "".
  std::string standing(const fs::path& target) const {
    if (!verify_manifest(folder / target).empty()) return "";
    const std::string content = read_file(folder / target / "a.bin");
    return content.substr(0, content.find('a'));
  }

  std::set<std::string> names() const {
    std::set<std::string> all;
    for (const auto& entry : fs::directory_iterator(folder)) all.insert(entry.path().filename().string());
    all.erase("message");
    return all;
  }
};

constexpr int kMostCalls = 200;  // of one save; a loop that never succeeds ends here
constexpr int kIo = static_cast<int>(ExitCode::io);

TEST_F(Fault, KilledAtEveryCallWhileReplacingAFolder) {
  int at = 1;
  std::set<std::string> seen;
  for (; at < kMostCalls; ++at) {
    empty();
    ASSERT_EQ(save("folder", "model", "old").status, 0);
    const Outcome outcome = save("folder", "model", "new", "kill", at);
    const std::string before_cleaning = standing("model");
    EXPECT_NE(before_cleaning, "") << "killed at call " << at;
    remove_stale_staging(folder);
    EXPECT_EQ(standing("model"), before_cleaning) << at;
    EXPECT_EQ(names(), std::set<std::string>{"model"}) << at;
    seen.insert(before_cleaning);
    if (!outcome.killed) break;
  }
  EXPECT_EQ(standing("model"), "new");
  EXPECT_EQ(seen.size(), 2u);
  EXPECT_GT(at, 15);
  EXPECT_LT(at, kMostCalls);
}

// As checkpoints do: a name of its own for each, the one before stays.
TEST_F(Fault, KilledAtEveryCallWhileAddingAFolder) {
  int at = 1;
  for (; at < kMostCalls; ++at) {
    empty();
    ASSERT_EQ(save("folder", "step-1", "old").status, 0);
    const Outcome outcome = save("folder", "step-2", "new", "kill", at);
    remove_stale_staging(folder);
    EXPECT_EQ(standing("step-1"), "old") << at;
    // Whole, or not there.
    EXPECT_EQ(standing("step-2"), fs::exists(folder / "step-2") ? "new" : "") << at;
    for (const auto& name : names()) EXPECT_THAT(name, testing::StartsWith("step-")) << at;
    if (!outcome.killed) break;
  }
  EXPECT_EQ(standing("step-2"), "new");
  EXPECT_GT(at, 10);
  EXPECT_LT(at, kMostCalls);
}

// There is a moment without any folder of that name; the next start gives it back.
TEST_F(Fault, KilledAtEveryCallWhereNamesCannotBeExchanged) {
  int at = 1, given_back = 0;
  for (; at < kMostCalls; ++at) {
    empty();
    ASSERT_EQ(save("folder", "model", "old").status, 0);
    const Outcome outcome = save("folder", "model", "new", "no_exchange", at);
    given_back += standing("model").empty() ? 1 : 0;
    remove_stale_staging(folder);
    EXPECT_NE(standing("model"), "") << "killed at call " << at;
    EXPECT_EQ(names(), std::set<std::string>{"model"}) << at;
    if (!outcome.killed) break;
  }
  EXPECT_EQ(standing("model"), "new");
  EXPECT_EQ(given_back, 1);
  EXPECT_LT(at, kMostCalls);
}

TEST_F(Fault, KilledAtEveryCallWhileReplacingAFile) {
  int at = 1;
  for (; at < kMostCalls; ++at) {
    empty();
    write_file_atomic(folder / "latest", "old");
    const Outcome outcome = save("file", "latest", "new", "kill", at);
    const std::string content = read_file(folder / "latest");
    EXPECT_TRUE(content == "old" || content == "new") << content;
    remove_stale_staging(folder);
    EXPECT_EQ(names(), std::set<std::string>{"latest"}) << at;
    if (!outcome.killed) break;
  }
  EXPECT_EQ(read_file(folder / "latest"), "new");
  EXPECT_GT(at, 4);
  EXPECT_LT(at, kMostCalls);
}

TEST_F(Fault, AFullDiskAtEveryWriteLeavesTheOldAndNothingElse) {
  for (const std::string kind : {"folder", "file"}) {
    int at = 1;
    for (; at < kMostCalls; ++at) {
      empty();
      ASSERT_EQ(save(kind, "target", "old").status, 0);
      const Outcome outcome = save(kind, "target", "new", "enospc", at);
      if (outcome.status == 0) break;
      EXPECT_EQ(outcome.status, kIo);
      EXPECT_THAT(outcome.message, testing::ContainsRegex("disk full: [0-9]+ bytes needed, [0-9]+ free"))
          << at;
      EXPECT_THAT(outcome.message, HasSubstr("target")) << at;
      EXPECT_EQ(names(), std::set<std::string>{"target"}) << at;
      EXPECT_EQ(kind == "file" ? read_file(folder / "target") : standing("target"), "old") << at;
    }
    EXPECT_GT(at, 2) << kind;
    EXPECT_LT(at, kMostCalls);
  }
}

TEST_F(Fault, AFailedFsyncIsNotPublished) {
  for (const bool replaces : {false, true}) {
    int at = 1;
    for (; at < kMostCalls; ++at) {
      empty();
      if (replaces) save("folder", "target", "old");
      const Outcome outcome = save("folder", "target", "new", "eio", at);
      if (outcome.status == 0) break;
      EXPECT_EQ(outcome.status, kIo);
      EXPECT_THAT(outcome.message, HasSubstr("Input/output error")) << at;
      EXPECT_EQ(names(), replaces ? std::set<std::string>{"target"} : std::set<std::string>{}) << at;
      EXPECT_EQ(standing("target"), replaces ? "old" : "") << at;
    }
    EXPECT_EQ(at, 6);  // three files, the staged folder, its parent: every one was tried
    EXPECT_EQ(standing("target"), "new");
  }
}

// The second fsync is the folder's, after the rename: see write_file_atomic().
TEST_F(Fault, AFailedFsyncOfAFile) {
  write_file_atomic(folder / "latest", "old");
  EXPECT_EQ(save("file", "latest", "new", "eio", 1).status, kIo);
  EXPECT_EQ(read_file(folder / "latest"), "old");
  EXPECT_EQ(names(), std::set<std::string>{"latest"});
  EXPECT_EQ(save("file", "latest", "new", "eio", 2).status, kIo);
  EXPECT_EQ(names(), std::set<std::string>{"latest"});
}

}  // namespace
}  // namespace mgd
