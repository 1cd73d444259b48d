// What a model is, measured: layers, parameters, multiply-accumulates, taps.
#pragma once

#include <string>
#include <vector>

#include "mgd/model/image_model.h"
#include "mgd/model/text_model.h"

namespace mgd {

struct LayerSummary {
  std::string name;                 // node path
  std::vector<std::int64_t> shape;  // one sample's activation; of rows, one token's
  Axes axes = Axes::other;
  bool of_decoder = false, of_sequence = false;  // as in NodeInfo
  std::int64_t parameters = 0;
  std::int64_t macs = 0;  // of one sample
};

struct ModelSummary {
  std::string architecture;
  std::int64_t parameters = 0;
  std::int64_t macs = 0;            // one sample
  std::vector<LayerSummary> nodes;  // in the order of the forward pass: every one can be a tap
  NodeInfos node_infos() const;
};

// Runs one sample through it: eval mode, no gradient, on the device and in the type of its parameters. A node
// counts every parameter and multiply-accumulate at or below its path, so a stage holds the sum of its
// blocks, and "input" and "pool" hold 0.
ModelSummary summarize(ImageModel& model);  // a zero picture of the model's own size (spec)
ModelSummary summarize(ImageModel& model, std::int64_t height, std::int64_t width);
// One sequence of summary_tokens(); shapes are those of a token, attention maps are (heads, T, T). A language
// model predicts at each token.
ModelSummary summarize(TextModel& model);

std::int64_t summary_tokens(const TextModel& model);  // 128, or what fits

}  // namespace mgd
