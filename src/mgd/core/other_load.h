// How busy a machine is with other work, for figures of time that are to be believed.
#pragma once

namespace mgd {

// Cores kept busy by other processes since construction, on average: 0 on a quiet machine. Counted by the
// kernel in hundredths of a second, so spans of less than about a second say little.
class OtherLoad {
 public:
  OtherLoad();
  double cores() const;  // -1: not known here (no /proc/stat)

 private:
  double start_busy_, start_own_, start_clock_;
};

}  // namespace mgd
