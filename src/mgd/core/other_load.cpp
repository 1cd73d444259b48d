#include "mgd/core/other_load.h"

#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <string>

#include "mgd/core/clock.h"

namespace mgd {

namespace {

// Seconds in which all cores together did anything; -1 when the kernel does not tell.
double busy_seconds() {
  std::ifstream file("/proc/stat");
  std::string word;
  double user = 0, nice = 0, system = 0, idle = 0, wait = 0, irq = 0, soft = 0;
  if (!(file >> word >> user >> nice >> system >> idle >> wait >> irq >> soft) || word != "cpu") return -1;
  return (user + nice + system + irq + soft) / static_cast<double>(::sysconf(_SC_CLK_TCK));
}

double own_seconds() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

OtherLoad::OtherLoad()
    : start_busy_(busy_seconds()), start_own_(own_seconds()), start_clock_(now_seconds()) {}

double OtherLoad::cores() const {
  const double elapsed = now_seconds() - start_clock_;
  if (start_busy_ < 0 || elapsed <= 0) return -1;
  return std::max(0.0, (busy_seconds() - start_busy_ - (own_seconds() - start_own_)) / elapsed);
}

}  // namespace mgd
