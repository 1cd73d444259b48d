// What training, distillation and evaluation know of a model: a Module with a forward pass over a batch.
#pragma once

#include <string>

#include "mgd/nn/forward.h"
#include "mgd/nn/module.h"
#include "mgd/types/batch.h"

namespace mgd {

class Model : public Module {
 public:
  virtual const std::string& architecture() const = 0;  // "cifar_resnet8", "bert", ...

  // Its answer to the batch, with the nodes that `forward` was told to capture. Nodes are named by layer
  // path. Throws Error(usage) for a batch that does not fit and for a node that there is not.
  Record run(const Batch& batch, Forward& forward);

  virtual AnswerKind answer_kind() const { return AnswerKind::classes; }

  // Of each layer with self-attention, the encoder's where there are two stacks.
  virtual std::vector<AttentionNodes> attention_nodes() const { return {}; }

  // What the axes of an activation of this node mean.
  virtual NodeInfo info_of(const std::string& node, const at::Tensor& activation) const = 0;

  // The default tap of feature distillation: the last stage's map, the last layer's hidden states.
  virtual std::string default_tap() const = 0;

  // Path of the layer that gives a classifier's logits; "": there is none.
  virtual std::string head_path() const { return ""; }

  // Whether a tensor belongs to the head, which is made for one task: what stays when "all but the head" is
  // frozen.
  virtual bool of_head(const std::string& tensor) const = 0;

 protected:
  // Reads what it understands of the batch and fills what it has of the record but for the nodes.
  virtual Record answer(const Batch& batch, Forward& forward) = 0;
};

}  // namespace mgd
