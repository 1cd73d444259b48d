// What the operating system asks of the command: to leave nothing behind, and while it trains.
#pragma once

#include <array>
#include <csignal>

#include "mgd/train/requests.h"

namespace mgd {

// While alive: SIGTERM and SIGINT ask for a stop after the current step, a second SIGINT ends the process at
// once (130), SIGUSR1 asks for a checkpoint, SIGPIPE is ignored (writes then fail and are reported as such).
// One at a time: a process has one set of handlers.
class SignalWatch {
 public:
  explicit SignalWatch(TrainRequests& requests);  // alive as long as this
  ~SignalWatch();                                 // restores the former handlers
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;
};

// While alive: SIGTERM and SIGINT end the process as they do by default, but first what it has staged and not
// published is removed (core/own_staging.h). Where one of them is ignored, it stays so.
class StagingWatch {
 public:
  StagingWatch();
  ~StagingWatch();  // restores the former handlers
  StagingWatch(const StagingWatch&) = delete;
  StagingWatch& operator=(const StagingWatch&) = delete;

 private:
  std::array<struct sigaction, 2> former_{};
};

}  // namespace mgd
