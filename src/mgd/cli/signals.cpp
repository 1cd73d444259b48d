#include "mgd/cli/signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>

namespace mgd {

namespace {

// A handler can reach nothing but static objects; they are private to this file.
std::atomic<TrainRequests*> watched = nullptr;

constexpr std::array kWatched{SIGTERM, SIGINT, SIGUSR1, SIGPIPE};
std::array<struct sigaction, kWatched.size()> former;

void handle(int signal) {
  TrainRequests* const requests = watched;
  if (requests == nullptr) return;
  if (signal == SIGUSR1) {
    requests->save();
  } else if (signal == SIGINT && requests->stop_reason() == StopReason::interrupted) {
    _exit(130);
  } else if (signal == SIGTERM || signal == SIGINT) {
    requests->stop(signal == SIGINT ? StopReason::interrupted : StopReason::terminated);
  }
}

}  // namespace

SignalWatch::SignalWatch(TrainRequests& requests) {
  watched = &requests;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &action, &former[i]);
}

SignalWatch::~SignalWatch() {
  for (std::size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &former[i], nullptr);
  watched = nullptr;
}

}  // namespace mgd
