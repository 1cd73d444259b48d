#include "mgd/core/memory.h"

#include <fmt/core.h>
#include <sys/resource.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <new>
#include <string_view>

namespace mgd {

namespace {

struct Usage {
  std::uint64_t mapped_bytes = 0, resident_bytes = 0;
};

Usage usage_now() {
  std::ifstream statm("/proc/self/statm");
  std::uint64_t mapped = 0, resident = 0;
  statm >> mapped >> resident;
  const auto page = static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return {mapped * page, resident * page};
}

// Of the address space; nothing without a limit.
std::optional<std::uint64_t> limit_bytes() {
  rlimit limit{};
  if (getrlimit(RLIMIT_AS, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return limit.rlim_cur;
}

std::string usage_text() {
  constexpr std::uint64_t kMiB = 1 << 20;
  const Usage usage = usage_now();
  if (const auto limit = limit_bytes())
    return fmt::format("{} MiB of address space are in use, {} allowed (ulimit -v)",
                       usage.mapped_bytes / kMiB, *limit / kMiB);
  return fmt::format("{} MiB are in use", usage.resident_bytes / kMiB);
}

// The number behind "tried to allocate ", as LibTorch's allocator on the CPU writes it; "" without one.
std::string requested_bytes(std::string_view text) {
  constexpr std::string_view kBefore = "tried to allocate ";
  const std::size_t at = text.find(kBefore);
  if (at == std::string_view::npos) return "";
  text.remove_prefix(at + kBefore.size());
  return std::string(text.substr(0, text.find_first_not_of("0123456789")));
}

}  // namespace

std::optional<std::string> memory_shortage(const std::exception& error) {
  const std::string_view text = error.what();
  bool shortage = dynamic_cast<const std::bad_alloc*>(&error) != nullptr;
  // The CPU allocator of LibTorch, that of CUDA, and system calls.
  for (const char* phrase :
       {"can't allocate memory", "not enough memory", "out of memory", "Cannot allocate memory"})
    shortage = shortage || text.find(phrase) != std::string_view::npos;
  // oneDNN says no more than this, whatever the reason.
  shortage = shortage || (text.starts_with("could not create a ") && memory_is_scarce());
  if (!shortage) return std::nullopt;
  const std::string bytes = requested_bytes(text);
  return fmt::format("out of memory{}; {}",
                     bytes.empty() ? "" : fmt::format(": {} bytes were requested", bytes), usage_text());
}

bool memory_is_scarce() {
  constexpr std::uint64_t kScarceBytes = 128 << 20;  // stacks, code of kernels and heaps come in tens of MiB
  const auto limit = limit_bytes();
  return limit && usage_now().mapped_bytes + kScarceBytes > *limit;
}

std::uint64_t resident_bytes() {
  return usage_now().resident_bytes;
}

std::uint64_t machine_memory_bytes() {
  struct sysinfo machine {};
  ::sysinfo(&machine);
  return std::uint64_t{machine.totalram} * machine.mem_unit;
}

std::uint64_t memory_limit_bytes() {
  std::uint64_t least = machine_memory_bytes();
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    std::uint64_t bytes = 0;
    if (file >> bytes && bytes > 0) least = std::min(least, bytes);  // "max" is no number
  }
  return std::min(least, limit_bytes().value_or(least));
}

std::uint64_t page_faults() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<std::uint64_t>(usage.ru_minflt);
}

}  // namespace mgd
