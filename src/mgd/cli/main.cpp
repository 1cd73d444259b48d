// The part of the command that computes. `mgd` (front/main.cpp) becomes this program; it is no command of its
// own.
#include <fmt/core.h>
#include <malloc.h>

#include <string>
#include <string_view>

#include "mgd/cli/help_topics.h"
#include "mgd/cli/signals.h"
#include "mgd/cli/verbs.h"
#include "mgd/front/command_table.h"
#include "mgd/front/run_program.h"
#include "mgd/ops/allocator.h"
#include "mgd/train/environment.h"

namespace {

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
      const mgd::StagingWatch nothing_stays;
      return run(positionals);
    };
  return verbs;
}

// The build's question for the table of the front (front/command_table.h).
bool asks_for_description(int argc, char** argv) {
  return argc == 2 && std::string_view(argv[1]) == "--describe";
}

}  // namespace

int main(int argc, char** argv) {
  keep_freed_memory();
  return mgd::run_program([&] {
    if (asks_for_description(argc, argv)) {
      fmt::print("{}", mgd::command_table_json(mgd::all_verbs(), mgd::help_topics()));
      return 0;
    }
    return mgd::run_command_line(prepared(mgd::all_verbs()), argc, argv, mgd::help_topics());
  });
}
