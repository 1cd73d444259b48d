// What happens to a picture before the model sees it, as nodes and as text.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "mgd/export/graph.h"

namespace mgd {

struct PreprocessingFacts {
  std::int64_t channels = 3, height = 0, width = 0;
  std::vector<double> mean, std;  // one a channel; input = (pixel / 255 - mean) / std
  std::string interpolation;
  double crop_pct = 1;
  std::string crop_mode = "center";
  std::vector<std::string> labels;  // may be empty
  bool in_graph = false;            // nodes do layout and normalisation
};

// Puts layout and normalisation before the graph: its one input then is "image", uint8 (B, Y, X, C) as
// picture libraries give it. Decoding, resizing and cropping stay with the caller: no node gives the rounding
// of the libraries that models are trained with.
void add_preprocessing(Graph& graph, const PreprocessingFacts& facts);

// metadata_props: labels and input_size as JSON, and the rest by name.
std::vector<std::pair<std::string, std::string>> preprocessing_metadata(const PreprocessingFacts& facts);

}  // namespace mgd
