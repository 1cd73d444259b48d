// What the operating system asks of the command while it trains.
#pragma once

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

}  // namespace mgd
