// How well the tensors of a file fit an architecture's outline.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgd/io/weights.h"
#include "mgd/model/outline.h"

namespace mgd {

// Where an outline meets the world: the weight of the first convolution, and the path of the classifier.
struct OutlineEnds {
  std::string stem, head;
};
OutlineEnds ends_of(const Outline& outline);

enum class Widths { one, any };

struct OutlineFit {
  std::string architecture;
  Naming naming = Naming::own;
  double width = 1;
  bool own_head = true;  // false: without a classifier, or with one of another name
};

// Nothing where a tensor is missing, left over or of another shape; counters of batches may be missing.
std::optional<OutlineFit> fit_outline(const std::string& architecture, Naming naming,
                                      const TensorMap& tensors, Widths widths);

// What differs from an architecture of width 1, for a message.
struct OutlineGap {
  std::string architecture;
  double likeness = 0;  // tensors of one name over all names of both
  std::size_t shared = 0, expected = 0;
  std::vector<std::string> missing, unexpected, misshaped;
};
std::optional<OutlineGap> outline_gap(const std::string& architecture, Naming naming,
                                      const TensorMap& tensors);

}  // namespace mgd
