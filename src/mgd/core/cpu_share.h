// How many cores this process may use: fewer than the machine has where it is bound to some, or where its
// control group (a container) has a quota.
#pragma once

#include <string>

#include "mgd/core/file.h"

namespace mgd {

struct CpuShare {
  int allowed = 1;   // cores that the process may run on
  double quota = 0;  // cores' worth of time that its control groups get; 0: no limit

  // At least 1. A part of a core counts as one: threads that wait without spinning use what there is of it.
  int cores() const;
  std::string describe() const;  // "2 cores", "1.5 of 8 cores (quota of the control group)"
};

// Reads the control groups (both versions of them) under `root`, which only tests change.
CpuShare cpu_share(const fs::path& root = "/");

}  // namespace mgd
