#include <fmt/core.h>
#include <malloc.h>

#include <cstdio>
#include <new>
#include <string>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"

namespace {

int report(mgd::ExitCode code, const std::string& message) {
  fmt::print(stderr, "mgd: {}\n", message);
  return static_cast<int>(code);
}

// LibTorch's own errors hold a stack trace behind the first line; a user needs the line.
std::string first_line(const char* text) {
  const std::string all = text;
  return all.substr(0, all.find('\n'));
}

// By default malloc gives every large block back to the system when it is freed, and each step of a training
// then pays for mapping its activations anew, page by page: a fifth of the time of an evaluation of
// ResNet-56. Kept, they are reused.
void keep_freed_memory() {
  constexpr int kGiB = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kGiB);
  mallopt(M_TRIM_THRESHOLD, 2 * (kGiB - 1));
  mallopt(M_TOP_PAD, kGiB / 16);
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  try {
    return mgd::run_command_line(mgd::all_verbs(), argc, argv);
  } catch (const mgd::Error& error) {
    return report(error.code(), error.what());
  } catch (const std::bad_alloc&) {
    return report(mgd::ExitCode::out_of_memory,
                  "out of memory; lower train.batch_size, set train.micro_batch_size or data.cache_mb; "
                  "checkpoints are safe");
  } catch (const std::exception& error) {
    const std::string line = first_line(error.what());
    if (line.find("not enough memory") != std::string::npos ||
        line.find("out of memory") != std::string::npos)
      return report(
          mgd::ExitCode::out_of_memory,
          line +
              "; lower train.batch_size, set train.micro_batch_size or data.cache_mb; checkpoints are safe");
    return report(mgd::ExitCode::internal, "internal error: " + line);
  }
}
