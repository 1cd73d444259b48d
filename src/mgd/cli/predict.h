// The two halves of `mgd predict`: pictures and texts.
#pragma once

#include <string>
#include <vector>

#include "mgd/cli/args.h"
#include "mgd/format/config.h"

namespace mgd {

struct PredictFlags {
  std::string model, prompt_name, precision = "fp32";
  std::int64_t top = 3, threads = 0, batch_size = 64, max_length = 0, image_size = 0;
  double max_megapixels = DataConfig{}.max_megapixels;
  std::vector<std::string> classes;
  bool json = false, logits = false, pairs = false;
  void visit(OptionVisitor& v);
};

// `args` are the model and its inputs. Both print to stdout and return the exit code.
int predict_images(const std::vector<std::string>& args, const PredictFlags& flags);
// Classifiers give labels and scores, sentence encoders embeddings.
int predict_texts(const std::vector<std::string>& args, const PredictFlags& flags);

}  // namespace mgd
