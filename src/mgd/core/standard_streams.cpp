#include "mgd/core/standard_streams.h"

#include <fcntl.h>
#include <fmt/core.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// The lowest free number is given to what is opened, so that 0, 1 and 2 must be asked in this order.
void occupy_closed_streams() {
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      static_cast<void>(::open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY));
}

ssize_t write_or_drop(void*, const char* bytes, std::size_t size) {
  std::size_t done = 0;
  while (done < size) {
    const auto n = ::write(STDERR_FILENO, bytes + done, size - done);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    done += static_cast<std::size_t>(n);
  }
  return static_cast<ssize_t>(size);
}

// Every way to write there, of ours and of libraries, then never fails: fmt::print throws when a stream does.
void let_standard_error_never_fail() {
  FILE* never_fails = ::fopencookie(
      nullptr, "w", {.read = nullptr, .write = write_or_drop, .seek = nullptr, .close = nullptr});
  if (never_fails == nullptr) return;
  std::setvbuf(never_fails, nullptr, _IONBF, 0);
  stderr = never_fails;
}

bool reader_has_left(int error) {
  if (error == EPIPE) return true;
  pollfd output{.fd = STDOUT_FILENO, .events = POLLOUT, .revents = 0};
  return ::poll(&output, 1, 0) == 1 && (output.revents & POLLERR) != 0;
}

}  // namespace

void prepare_standard_streams() {
  occupy_closed_streams();
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGPIPE, SIG_IGN);
  let_standard_error_never_fail();
}

bool standard_output_failed() {
  return std::ferror(stdout) != 0;
}

int close_standard_output(int exit_code, int write_error) {
  const bool failed_before = standard_output_failed();
  errno = 0;
  if (std::fflush(stdout) == 0 && !failed_before) return exit_code;
  const int error = write_error != 0 ? write_error : errno;
  if (reader_has_left(error)) {
    std::signal(SIGPIPE, SIG_DFL);
    std::raise(SIGPIPE);
  }
  fmt::print(stderr, "mgd: standard output: write failed{}{}\n", error != 0 ? ": " : "",
             error != 0 ? std::strerror(error) : "");
  return exit_code != 0 ? exit_code : static_cast<int>(ExitCode::io);
}

}  // namespace mgd
