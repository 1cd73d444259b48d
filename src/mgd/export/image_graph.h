// The graph of an image classifier.
#pragma once

#include "mgd/export/graph.h"
#include "mgd/model/image_model.h"

namespace mgd {

struct ImageGraph {
  Graph graph;            // "input" (B, C, Y, X) float, normalised -> "logits" (B, K)
  bool any_size = false;  // height and width are free; otherwise they are fixed, and `fixed_by` says why
  std::string fixed_by{};
};

// Records passes over random batches in double precision, so that nothing but LibTorch's own operators takes
// part (this program's kernels are for floats). The model's weights go to double and come back unchanged.
// Throws Error(usage) for an operator without a form in ONNX.
ImageGraph image_graph(ImageModel& model, std::int64_t height, std::int64_t width);

// The largest difference of logits between graph and model, relative to the largest logit of a sample, on
// random batches of sizes that were not recorded.
double graph_difference(const ImageGraph& exported, ImageModel& model, std::int64_t height,
                        std::int64_t width);

// Of got and expected (B, K), as above; NaN on one side only is infinite.
double relative_difference(const at::Tensor& got, const at::Tensor& expected);

}  // namespace mgd
