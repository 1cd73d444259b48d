// The two halves of `mgd eval`: pictures and texts.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/args.h"
#include "mgd/format/config.h"

namespace mgd {

struct EvalFlags {
  std::string data, split = "test", model, precision = "fp32", device = "cpu";
  std::int64_t batch_size = 0, threads = 0, image_size = 0;
  std::vector<std::string> classes;
  bool json = false, quiet = false;

  // Pictures.
  std::string label_column;
  double max_megapixels = DataConfig{}.max_megapixels;

  // Texts.
  std::string format, target, samples = "documents", cache_dir, prompt_name;
  std::vector<std::string> columns;
  std::int64_t max_length = 0;
  double mask_ratio = 0.15;
  bool pseudo_perplexity = false;

  void visit(OptionVisitor& v);
};

// Both print to stdout and return the exit code.
int eval_images(const std::string& model, const EvalFlags& flags);
// What is measured follows from the model's head: masked_lm, causal_lm, sequence_classification, encoder.
int eval_texts(const std::string& model, const EvalFlags& flags);

}  // namespace mgd
