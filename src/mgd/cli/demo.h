// The demos: a whole story each, on data that comes with the program.
#pragma once

#include <string>

#include "mgd/format/options.h"

namespace mgd {

struct DemoFlags {
  std::string data, run_dir;
  std::int64_t seeds = 5, per_class = 20;  // digits
  std::int64_t steps = 0;                  // text; 0: as in its recipes
  std::int64_t threads = 0;
  bool quiet = false;
  void visit(OptionVisitor& v);
};

// Teacher, student alone, KD and MGD on handwritten digits. Each gives the exit code; they print their result
// and write report.html into the run folder.
int demo_digits(const DemoFlags& flags);

// A masked and a causal Transformer learn from one text, fill its gaps and go on from its sentences.
int demo_text(const DemoFlags& flags);

}  // namespace mgd
