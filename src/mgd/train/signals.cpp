#include "mgd/train/signals.h"

#include <unistd.h>

#include <array>
#include <csignal>

namespace mgd {

namespace {

// A handler can reach nothing but static objects; they are private to this file.
volatile std::sig_atomic_t stop_requested = 0;
volatile std::sig_atomic_t save_requested = 0;

constexpr std::array kWatched{SIGTERM, SIGINT, SIGUSR1, SIGPIPE};
std::array<struct sigaction, kWatched.size()> former;

void handle(int signal) {
  if (signal == SIGUSR1) {
    save_requested = 1;
  } else if (signal == SIGINT && stop_requested == SIGINT) {
    _exit(130);
  } else if (signal == SIGTERM || signal == SIGINT) {
    stop_requested = signal;
  }
}

}  // namespace

SignalWatch::SignalWatch() {
  stop_requested = 0;
  save_requested = 0;
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &action, &former[i]);
}

SignalWatch::~SignalWatch() {
  for (std::size_t i = 0; i < kWatched.size(); ++i) sigaction(kWatched[i], &former[i], nullptr);
}

int SignalWatch::stop_signal() const {
  return stop_requested;
}

bool SignalWatch::take_save_request() {
  const bool requested = save_requested != 0;
  save_requested = 0;
  return requested;
}

}  // namespace mgd
