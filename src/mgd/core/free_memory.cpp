#include "mgd/core/free_memory.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <sstream>
#include <string>

#include "mgd/core/memory.h"

namespace mgd {

namespace {

std::optional<std::uint64_t> number_in(const char* path) {
  std::ifstream file(path);
  std::uint64_t value = 0;
  if (!(file >> value)) return std::nullopt;  // "max", or no such file
  return value;
}

// The number behind `key` in a file of lines "key value".
std::uint64_t field_of(const char* path, const std::string& key) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    std::istringstream words(line);
    std::string name;
    std::uint64_t value = 0;
    if (words >> name >> value && name == key) return value;
  }
  return 0;
}

struct Group {
  const char *limit, *usage, *stat, *cache;
};
constexpr Group kGroups[] = {
    {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current", "/sys/fs/cgroup/memory.stat",
     "inactive_file"},
    {"/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes",
     "/sys/fs/cgroup/memory/memory.stat", "total_inactive_file"},
};

std::uint64_t less(std::uint64_t all, std::uint64_t used) {
  return all > used ? all - used : 0;
}

}  // namespace

std::uint64_t free_memory_bytes() {
  constexpr std::uint64_t kKiB = 1024;
  const std::uint64_t available = field_of("/proc/meminfo", "MemAvailable:") * kKiB;
  std::uint64_t least = available > 0 ? available : machine_memory_bytes();
  for (const Group& group : kGroups) {
    const auto limit = number_in(group.limit), usage = number_in(group.usage);
    // What a group has read from files counts as used, and is given up when it is needed.
    if (limit && usage)
      least = std::min(least, less(*limit, less(*usage, field_of(group.stat, group.cache))));
  }
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY) {
    const std::uint64_t mapped_pages = number_in("/proc/self/statm").value_or(0);
    least = std::min(least,
                     less(limit.rlim_cur, mapped_pages * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE))));
  }
  return least;
}

}  // namespace mgd
