#include "mgd/front/run_program.h"

#include <filesystem>
#include <string>
#include <system_error>

#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/core/standard_streams.h"
#include "mgd/core/system_error.h"

namespace mgd {

namespace {

int report(ExitCode code, const std::string& message) {
  fmt::print(stderr, "mgd: {}\n", message);
  return static_cast<int>(code);
}

// LibTorch's own errors hold a stack trace behind the first line; a user needs the line.
std::string first_line(const char* text) {
  const std::string all = text;
  return all.substr(0, all.find('\n'));
}

int outcome_of(const std::exception& error) {
  if (const auto shortage = memory_shortage(error))
    return report(ExitCode::out_of_memory,
                  *shortage +
                      "; lower train.batch_size or set train.micro_batch_size, lower data.cache_mb or "
                      "data.loader_threads; checkpoints are safe");
  if (const auto* file = dynamic_cast<const std::filesystem::filesystem_error*>(&error))
    return report(exit_code_of(file->code()),
                  fmt::format("{}: {}", printable(file->path1().string()), file->code().message()));
  if (const auto* system = dynamic_cast<const std::system_error*>(&error))
    return report(exit_code_of(system->code()), first_line(error.what()));
  return report(ExitCode::internal, "internal error: " + first_line(error.what()));
}

}  // namespace

int run_program(const std::function<int()>& command) {
  prepare_standard_streams();
  try {
    return close_standard_output(command());
  } catch (const Error& error) {
    return close_standard_output(report(error.code(), error.what()));
  } catch (const std::system_error& error) {
    // What throws when stdout fails is a print in the middle of a verb.
    if (standard_output_failed()) return close_standard_output(0, error.code().value());
    return close_standard_output(outcome_of(error));
  } catch (const std::exception& error) {
    return close_standard_output(outcome_of(error));
  }
}

}  // namespace mgd
