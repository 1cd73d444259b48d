#include "mgd/cli/signals.h"

#include <unistd.h>

#include <atomic>

#include "mgd/core/own_staging.h"

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
    remove_own_staging();
    _exit(130);
  } else if (signal == SIGTERM || signal == SIGINT) {
    requests->stop(signal == SIGINT ? StopReason::interrupted : StopReason::terminated);
  }
}

constexpr std::array kEnding{SIGTERM, SIGINT};

// The signal is held back while it is handled, so the second one ends the process at the return.
void end_without_staging(int signal) {
  remove_own_staging();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

StagingWatch::StagingWatch() {
  struct sigaction action {};
  action.sa_handler = end_without_staging;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kEnding.size(); ++i) {
    sigaction(kEnding[i], nullptr, &former_[i]);
    if (former_[i].sa_handler != SIG_IGN) sigaction(kEnding[i], &action, nullptr);
  }
}

StagingWatch::~StagingWatch() {
  for (std::size_t i = 0; i < kEnding.size(); ++i) sigaction(kEnding[i], &former_[i], nullptr);
}

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
