#include "mgd/core/cpu_share.h"

#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "core/scratch.h"
#include "mgd/core/system_error.h"

namespace mgd {
namespace {

class CpuShareOfGroups : public Scratch {
 protected:
  CpuShare with(const std::map<std::string, std::string>& files) const {
    empty();
    for (const auto& [name, text] : files) {
      fs::create_directories((folder / name).parent_path());
      std::ofstream(folder / name) << text;
    }
    return cpu_share(folder);
  }
};

TEST_F(CpuShareOfGroups, WithoutAQuotaCountsAllowedCores) {
  const int allowed = with({}).allowed;
  EXPECT_GE(allowed, 1);
  EXPECT_EQ(with({}).cores(), allowed);
  EXPECT_EQ(with({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "max 100000\n"}}).quota, 0);
  EXPECT_EQ(with({{"proc/self/cgroup", "nonsense\n0:\n"}}).quota, 0);
}

TEST_F(CpuShareOfGroups, VersionTwoTakesTheLeastOfAllGroupsAbove) {
  EXPECT_EQ(with({{"proc/self/cgroup", "0::/\n"}, {"sys/fs/cgroup/cpu.max", "150000 100000\n"}}).quota, 1.5);
  const CpuShare nested = with({{"proc/self/cgroup", "0::/a/b\n"},
                                {"sys/fs/cgroup/a/cpu.max", "50000 100000\n"},
                                {"sys/fs/cgroup/a/b/cpu.max", "max 100000\n"}});
  EXPECT_EQ(nested.quota, 0.5);
  EXPECT_EQ(nested.cores(), 1);
}

TEST_F(CpuShareOfGroups, VersionOneAndAContainerThatSeesItsGroupAsTheRoot) {
  const std::map<std::string, std::string> inside = {
      {"proc/self/cgroup", "7:memory:/docker/4f\n4:cpu,cpuacct:/docker/4f\n"},
      {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "300000\n"},
      {"sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n"}};
  EXPECT_EQ(with(inside).quota, 3);
  auto unlimited = inside;
  unlimited["sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us"] = "-1\n";
  EXPECT_EQ(with(unlimited).quota, 0);
}

TEST(CpuShare, CoresAreAtLeastOneAndAtMostThoseAllowed) {
  EXPECT_EQ((CpuShare{.allowed = 8, .quota = 0.1}).cores(), 1);
  EXPECT_EQ((CpuShare{.allowed = 8, .quota = 1.5}).cores(), 2);
  EXPECT_EQ((CpuShare{.allowed = 8, .quota = 2}).cores(), 2);
  EXPECT_EQ((CpuShare{.allowed = 2, .quota = 16}).cores(), 2);
  EXPECT_EQ((CpuShare{.allowed = 8, .quota = 1.5}).describe(), "1.5 of 8 cores (quota of the control group)");
  EXPECT_EQ((CpuShare{.allowed = 1}).describe(), "1 core");
}

TEST(SystemError, NamesThatLeadNowhereAreMissingInputs) {
  const auto code = [](std::errc error) { return exit_code_of(std::make_error_code(error)); };
  EXPECT_EQ(code(std::errc::filename_too_long), ExitCode::missing_input);
  EXPECT_EQ(code(std::errc::too_many_symbolic_link_levels), ExitCode::missing_input);
  EXPECT_EQ(code(std::errc::read_only_file_system), ExitCode::cannot_create);
  EXPECT_EQ(code(std::errc::no_space_on_device), ExitCode::io);
  EXPECT_EQ(code(std::errc::file_too_large), ExitCode::io);
  EXPECT_EQ(code(std::errc::resource_unavailable_try_again), ExitCode::environment);
}

}  // namespace
}  // namespace mgd
