#include "mgd/core/cpu_share.h"

#include <fmt/core.h>
#include <sched.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <optional>
#include <thread>
#include <vector>

namespace mgd {

namespace {

int allowed_cores() {
  cpu_set_t set;
  CPU_ZERO(&set);
  // More cores than a set holds: the call fails, and the library counts them with a larger one.
  if (::sched_getaffinity(0, sizeof set, &set) == 0) return std::max(CPU_COUNT(&set), 1);
  return std::max(static_cast<int>(std::thread::hardware_concurrency()), 1);
}

// Quota and period in microseconds, in the file of version 2 or the two of version 1; nothing without a
// limit.
std::optional<double> quota_in(const fs::path& group) {
  double quota = -1, period = 0;
  if (std::ifstream both(group / "cpu.max"); both) {
    both >> quota >> period;  // "max 100000" is no number
  } else {
    std::ifstream(group / "cpu.cfs_quota_us") >> quota;
    std::ifstream(group / "cpu.cfs_period_us") >> period;
  }
  if (!(quota > 0) || !(period > 0)) return std::nullopt;
  return quota / period;
}

struct Group {
  fs::path mount;    // where its hierarchy is seen
  std::string path;  // below it
};

// /proc/self/cgroup: "0::/a/b" in version 2, "4:cpu,cpuacct:/a/b" in version 1.
std::vector<Group> groups_of(const fs::path& root) {
  std::vector<Group> groups;
  std::ifstream file(root / "proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {
    const auto first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1),
                      path = line.substr(second + 1);
    const std::string listed = "," + controllers + ",";
    if (controllers.empty()) groups.push_back({root / "sys/fs/cgroup", path});
    if (listed.find(",cpu,") != std::string::npos)
      for (const auto& name : {controllers, std::string("cpu")})
        groups.push_back({root / "sys/fs/cgroup" / name, path});
  }
  return groups;
}

}  // namespace

int CpuShare::cores() const {
  if (quota <= 0) return allowed;
  return std::clamp(static_cast<int>(std::ceil(quota - 1e-6)), 1, allowed);
}

std::string CpuShare::describe() const {
  if (quota <= 0 || quota >= allowed) return fmt::format("{} {}", allowed, allowed == 1 ? "core" : "cores");
  return fmt::format("{:g} of {} cores (quota of the control group)", quota, allowed);
}

CpuShare cpu_share(const fs::path& root) {
  CpuShare share{.allowed = allowed_cores()};
  // A group gets no more than any group above it. A container often sees its own group as the root, under
  // whatever path.
  for (const Group& group : groups_of(root))
    for (fs::path path = fs::path(group.path).relative_path();; path = path.parent_path()) {
      if (const auto quota = quota_in(group.mount / path))
        share.quota = share.quota > 0 ? std::min(share.quota, *quota) : *quota;
      if (path.empty()) break;
    }
  return share;
}

}  // namespace mgd
