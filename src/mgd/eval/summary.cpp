#include "mgd/eval/summary.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <map>
#include <string_view>

namespace mgd {

namespace {

// Whether `name` is the node `path` or lies below it. "layer1" holds "layer1.0" but not "layer10".
bool below(std::string_view name, std::string_view path) {
  return name == path || (name.size() > path.size() && name.starts_with(path) && name[path.size()] == '.');
}

// The place of a node's entry, in the order in which nodes were first passed.
class NodeList {
 public:
  LayerSummary& at(const std::string& name) {
    const auto [it, fresh] = index_.emplace(name, nodes_.size());
    if (fresh) nodes_.push_back({.name = name, .shape = {}});
    return nodes_[it->second];
  }
  std::vector<LayerSummary> take() { return std::move(nodes_); }

 private:
  std::map<std::string, std::size_t> index_;
  std::vector<LayerSummary> nodes_;
};

// Layers count before they name themselves, so what was added since the last node is this layer's own work.
std::vector<LayerSummary> observe_nodes(Model& model, const Batch& sample, std::int64_t& total_macs) {
  NodeList nodes;
  std::int64_t counted = 0;
  Forward forward;
  forward.observe([&](const std::string& name, const at::Tensor& activation) {
    LayerSummary& node = nodes.at(name);
    const NodeInfo info = model.info_of(name, activation);
    node.shape = info.sizes;
    node.axes = info.axes;
    node.of_decoder = info.of_decoder;
    node.of_sequence = info.of_sequence;
    node.macs += forward.macs() - counted;
    counted = forward.macs();
  });
  const at::NoGradGuard no_grad;
  model.run(sample, forward);
  total_macs = forward.macs();
  return nodes.take();
}

at::TensorOptions options_of(const Model& model) {
  const std::vector<NamedTensor> parameters = model.parameters();
  return parameters.empty() ? at::TensorOptions(at::kFloat) : parameters.front().tensor.options();
}

ModelSummary summarize_on(Model& model, const Batch& sample) {
  ModelSummary summary{
      .architecture = model.architecture(), .parameters = model.num_parameters(), .nodes = {}};
  const std::vector<LayerSummary> own = observe_nodes(model, sample, summary.macs);
  const std::vector<NamedTensor> parameters = model.parameters();
  summary.nodes = own;
  for (LayerSummary& node : summary.nodes) {
    node.macs = 0;
    for (const LayerSummary& other : own) node.macs += below(other.name, node.name) ? other.macs : 0;
    for (const NamedTensor& entry : parameters)
      node.parameters += below(entry.name, node.name) ? entry.tensor.numel() : 0;
  }
  return summary;
}

}  // namespace

NodeInfos ModelSummary::node_infos() const {
  NodeInfos infos;
  for (const LayerSummary& node : nodes)
    infos[node.name] = {.axes = node.axes,
                        .sizes = node.shape,
                        .of_decoder = node.of_decoder,
                        .of_sequence = node.of_sequence};
  return infos;
}

ModelSummary summarize(ImageModel& model) {
  return summarize(model, model.spec().image_height, model.spec().image_width);
}

ModelSummary summarize(ImageModel& model, std::int64_t height, std::int64_t width) {
  Batch sample;
  sample.input = at::zeros({1, model.spec().in_channels, height, width}, options_of(model));
  sample.sample_ids = {0};
  return summarize_on(model, sample);
}

std::int64_t summary_tokens(const TextModel& model) {
  return std::min<std::int64_t>(128, model.max_tokens());
}

ModelSummary summarize(TextModel& model) {
  const std::int64_t tokens = summary_tokens(model);
  Batch sample;
  sample.tokens = {.ids = at::zeros({tokens}, options_of(model).dtype(at::kLong)), .offsets = {0, tokens}};
  sample.sample_ids = {0};
  if (model.config().encoder_decoder()) sample.decoder_tokens = sample.tokens;
  return summarize_on(model, sample);
}

}  // namespace mgd
