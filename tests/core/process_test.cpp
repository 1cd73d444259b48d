#include "mgd/core/process.h"

#include <gtest/gtest.h>

namespace mgd {
namespace {

TEST(Process, OutputErrorsAndExitCode) {
  const auto done = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(done.exit_code, 3);
  EXPECT_EQ(done.output, "out\n");
  EXPECT_EQ(done.errors, "err\n");
}

TEST(Process, AMissingProgramIs127AndASignalIs128More) {
  EXPECT_EQ(run_process({"/no/such/program"}).exit_code, 127);
  EXPECT_EQ(run_process({"sh", "-c", "kill -9 $$"}).exit_code, 137);
}

TEST(Process, MuchOnBothStreamsDoesNotHangAndIsBounded) {
  const auto done = run_process({"sh", "-c", "head -c 300000 /dev/zero; head -c 300000 /dev/zero >&2"}, 1000);
  EXPECT_EQ(done.exit_code, 0);
  EXPECT_EQ(done.output.size(), 1000U);
  EXPECT_EQ(done.errors.size(), 1000U);
}

TEST(Process, StdinIsEmpty) {
  EXPECT_EQ(run_process({"cat"}).output, "");
}

}  // namespace
}  // namespace mgd
