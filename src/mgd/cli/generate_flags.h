// How `mgd generate` generates: as its flags say, else as the model's folder does.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/open_text.h"
#include "mgd/format/options.h"
#include "mgd/generate/generate.h"

namespace mgd {

// Values that no flag can have stand for "not given".
struct GenerateFlags {
  std::string prompt, prompts_file, device = "cpu";
  std::int64_t max_new_tokens = 0, min_new_tokens = -1, top_k = -1, num_beams = 0, no_repeat_ngram_size = -1;
  double temperature = -1, top_p = -1, min_p = -1, repetition_penalty = 0, length_penalty = -100;
  std::string early_stopping;
  bool cache = true;
  std::vector<std::string> stop;
  std::int64_t seed = 1, threads = 0;
  bool json = false, quiet = false;
  void visit(OptionVisitor& v);
};

// `notes` gets lines for the console: what the folder says that is honoured, and what is left out. Throws
// Error(bad_data) for settings of the folder that make no sense.
GenerateOptions generate_options(const GenerateFlags& flags, const NamedText& named,
                                 const std::string& folder, std::vector<std::string>& notes);

}  // namespace mgd
