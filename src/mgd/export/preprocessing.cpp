#include "mgd/export/preprocessing.h"

#include <ATen/ops/tensor.h>

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

using nlohmann::json;

// (C, 1, 1), as it broadcasts over maps.
at::Tensor per_channel(const std::vector<double>& values) {
  return at::tensor(values, at::kDouble).to(at::kFloat).view({-1, 1, 1});
}

std::string text_of(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

}  // namespace

void add_preprocessing(Graph& graph, const PreprocessingFacts& facts) {
  MGD_ASSERT(graph.inputs.size() == 1 && facts.mean.size() == facts.std.size() && !facts.mean.empty());
  const OnnxValue old = graph.inputs[0];
  graph.inputs[0] = {
      .name = "image", .type = OnnxType::uint8, .dims = {old.dims[0], old.dims[2], old.dims[3], old.dims[1]}};
  std::vector<double> shift, scale;  // pixel levels
  for (std::size_t c = 0; c < facts.mean.size(); ++c) {
    shift.push_back(255 * facts.mean[c]);
    scale.push_back(255 * facts.std[c]);
  }
  graph.constants["preprocessing/mean"] = per_channel(shift);
  graph.constants["preprocessing/std"] = per_channel(scale);
  const std::vector<OnnxNode> nodes{{.op = "Cast",
                                     .name = "preprocessing/cast",
                                     .inputs = {"image"},
                                     .outputs = {"preprocessing/float"},
                                     .attributes = {{"to", static_cast<std::int64_t>(OnnxType::float32)}}},
                                    {.op = "Transpose",
                                     .name = "preprocessing/planes",
                                     .inputs = {"preprocessing/float"},
                                     .outputs = {"preprocessing/planes"},
                                     .attributes = {{"perm", std::vector<std::int64_t>{0, 3, 1, 2}}}},
                                    {.op = "Sub",
                                     .name = "preprocessing/centre",
                                     .inputs = {"preprocessing/planes", "preprocessing/mean"},
                                     .outputs = {"preprocessing/centred"}},
                                    {.op = "Div",
                                     .name = "preprocessing/normalise",
                                     .inputs = {"preprocessing/centred", "preprocessing/std"},
                                     .outputs = {old.name}}};
  graph.nodes.insert(graph.nodes.begin(), nodes.begin(), nodes.end());
}

std::vector<std::pair<std::string, std::string>> preprocessing_metadata(const PreprocessingFacts& facts) {
  std::vector<std::pair<std::string, std::string>> metadata{
      {"input_size", text_of(json{facts.channels, facts.height, facts.width})},
      {"mean", text_of(json(facts.mean))},
      {"std", text_of(json(facts.std))},
      {"interpolation", facts.interpolation},
      {"crop_pct", text_of(json(facts.crop_pct))},
      {"crop_mode", facts.crop_mode},
      {"preprocessing_in_graph", facts.in_graph ? "layout, normalisation" : "none"}};
  if (!facts.labels.empty()) metadata.emplace_back("labels", text_of(json(facts.labels)));
  return metadata;
}

}  // namespace mgd
