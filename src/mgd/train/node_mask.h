// `masks:` of a recipe: parts of what the student sees (`input`) or computes (any named node) are hidden
// while it trains. The teacher always sees everything; evaluation and the exported student know nothing of
// it. No rescaling, unlike dropout.
#pragma once

#include <memory>
#include <string>

#include "mgd/mask/mask_source.h"
#include "mgd/nn/module.h"
#include "mgd/types/batch.h"

namespace mgd {

struct NodeMaskOptions {
  std::string node = "input";
  std::string fill =
      "zero";  // zero | learned: one value a channel, trained with the student, thrown away afterwards
  MaskOptions mask;
  void visit(OptionVisitor& v);
};

class NodeMask : public Module {
 public:
  // shape {C, Y, X} of the node, one sample.
  NodeMask(NodeMaskOptions options, NodeInfo info, std::string label, std::uint64_t seed);

  const std::string& label() const { return label_; }
  const NodeMaskOptions& options() const { return options_; }
  const NodeInfo& info() const { return info_; }

  at::Tensor draw(const Batch& batch, std::uint32_t step, double progress_frac) const;
  at::Tensor apply(const at::Tensor& activation,
                   const at::Tensor& keep) const;  // (B, C, Y, X), keep broadcasts to it

 private:
  NodeMaskOptions options_;
  NodeInfo info_;
  std::string label_;
  MaskSource mask_;
  at::Tensor* fill_ = nullptr;  // (C, 1, 1)
};

// One for each entry of the recipe; unknown nodes are errors that name the nearest.
std::vector<std::unique_ptr<NodeMask>> make_node_masks(const std::vector<Node>& entries,
                                                       const NodeInfos& student, std::uint64_t seed);

}  // namespace mgd
