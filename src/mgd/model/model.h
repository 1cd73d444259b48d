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

  // Reads what it understands of the batch and fills what it has of the output; taps are the caller's to take
  // from `forward`. Nodes are named by layer path. Throws Error(usage) for a batch that does not fit and for
  // a tap that there is not.
  virtual ModelOutput run(const Batch& batch, Forward& forward) = 0;

  // The default tap of feature distillation: the last stage's map, the last layer's hidden states.
  virtual std::string default_tap() const = 0;

  // Whether a tensor belongs to the head, which is made for one task: what stays when "all but the head" is
  // frozen.
  virtual bool of_head(const std::string& tensor) const = 0;
};

// What run() ends with: throws Error(usage) for a name to capture that no node of `model` has, and names the
// nearest that it has. Only then is there a second pass over the batch, which tells the names.
void require_captured(Model& model, const Batch& batch, const Forward& forward);

}  // namespace mgd
