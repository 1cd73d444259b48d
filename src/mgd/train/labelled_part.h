// What losses that read labels see of a batch in which not every sample has one: the others are not there. So
// no loss needs to know of them, those of a program neither.
#pragma once

#include <optional>
#include <vector>

#include "mgd/loss/loss.h"

namespace mgd {

// Places in a batch, ascending; nullopt: all of them.
using Places = std::optional<std::vector<std::int64_t>>;

// The samples with a class. One that MixUp or CutMix made of two has one when both have. nullopt too where
// targets are no classes.
Places labelled_places(const Batch& batch);

// loss.count(...) over the samples that the loss sees. labelled: of `batch`.
double count_of(const Loss& loss, const Batch& batch, const Places& labelled, const at::Tensor& keep);

// What is left of an input for a loss that reads labels, or all of it; a copy in the first case only.
class SeenInput {
 public:
  // `all` must outlive this; so must what it refers to.
  SeenInput(const Loss& loss, const LossInput& all, const Places& labelled);
  bool empty() const { return cut_ && batch_.size() == 0; }
  LossInput get() const;

 private:
  const LossInput& all_;
  bool cut_ = false;
  Batch batch_;
  Record student_, teacher_;
  at::Tensor keep_;
};

}  // namespace mgd
