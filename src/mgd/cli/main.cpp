#include <fmt/core.h>
#include <malloc.h>

#include <cstdio>
#include <string>

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/ops/allocator.h"
#include "mgd/train/environment.h"

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
// then pays for mapping it anew, page by page: a fifth of the time of an evaluation of ResNet-56. Tensors lie
// in a heap of their own (ops/allocator.h); this is for what libraries and loaders take besides.
void keep_freed_memory() {
  constexpr int kGiB = 1 << 30;
  mallopt(M_MMAP_THRESHOLD, kGiB);
  mallopt(M_TRIM_THRESHOLD, 2 * (kGiB - 1));
  mallopt(M_TOP_PAD, kGiB / 16);
}

// A verb that computes refuses another LibTorch than it was built with; the doctor tells of it among other
// problems.
std::vector<mgd::Verb> prepared(std::vector<mgd::Verb> verbs) {
  for (auto& verb : verbs)
    verb.run = [run = std::move(verb.run), check = verb.name != "doctor"](const auto& positionals) {
      if (check) mgd::require_same_torch(mgd::environment());
// A sanitizer watches the borders of blocks that it hands out itself.
#ifndef __SANITIZE_ADDRESS__
      mgd::use_caching_allocator();
#endif
      return run(positionals);
    };
  return verbs;
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  try {
    return mgd::run_command_line(prepared(mgd::all_verbs()), argc, argv);
  } catch (const mgd::Error& error) {
    return report(error.code(), error.what());
  } catch (const std::exception& error) {
    if (const auto shortage = mgd::memory_shortage(error))
      return report(mgd::ExitCode::out_of_memory,
                    *shortage +
                        "; lower train.batch_size or set train.micro_batch_size, lower data.cache_mb or "
                        "data.loader_threads; checkpoints are safe");
    return report(mgd::ExitCode::internal, "internal error: " + first_line(error.what()));
  }
}
