// Errors: one exception type that carries the exit code of the command, and checks for our own mistakes.
#pragma once

#include <fmt/core.h>

#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace mgd {

enum class ExitCode : int {
  ok = 0,
  usage = 2,           // command line or recipe
  bad_data = 65,       // an input file does not hold what it should
  missing_input = 66,  // an input file is not there
  internal = 70,       // a bug of ours
  out_of_memory = 71,
  cannot_create = 73,  // the output cannot be created
  io = 74,             // read or write failed, disk full
  diverged = 76,
  refused = 77,       // refused for safety
  environment = 78,   // this machine or LibTorch lacks something
  interrupted = 130,  // SIGINT, after a good checkpoint
  terminated = 143,   // SIGTERM, after a good checkpoint
  peer_lost = 160,
};

// A mistake of the user, or of the world around him. The message reads `where: what: got X, expected Y;
// hint`.
class Error : public std::runtime_error {
 public:
  Error(ExitCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ExitCode code() const { return code_; }

 private:
  ExitCode code_;
};

template <class... Args>
[[noreturn]] void fail(ExitCode code, fmt::format_string<Args...> format, Args&&... args) {
  throw Error(code, fmt::format(format, std::forward<Args>(args)...));
}

// A mistake of ours: throws std::logic_error with the place. Never used for user input.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
#define MGD_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::mgd::assertion_failed(#condition, __FILE__, __LINE__))

// The known name nearest to `name` by edit distance, or "" if none is near enough to be a likely typo.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

// "; did you mean 'x'?" when a near name exists, otherwise "; known: a, b, c" (at most 20 of them).
std::string suggestion(std::string_view name, const std::vector<std::string>& known);

// Text from data (file names, class names) for a message: control characters as \n and \x1b, so that they
// cannot steer a terminal, at most 200 bytes of it.
std::string printable(std::string_view text);

}  // namespace mgd
