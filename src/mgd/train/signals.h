// What the operating system asked of a running training.
#pragma once

namespace mgd {

// While alive: SIGTERM and SIGINT ask for a stop after the current step, a second SIGINT ends the process at
// once (130), SIGUSR1 asks for a checkpoint, SIGPIPE is ignored (writes then fail and are reported as such).
class SignalWatch {
 public:
  SignalWatch();
  ~SignalWatch();  // restores the former handlers
  SignalWatch(const SignalWatch&) = delete;
  SignalWatch& operator=(const SignalWatch&) = delete;

  int stop_signal() const;   // 0, SIGTERM or SIGINT
  bool take_save_request();  // true once for each SIGUSR1
};

}  // namespace mgd
