// Which architecture a file of weights is of, by the names and shapes of its tensors.
#pragma once

#include <string>

#include "mgd/io/weights.h"
#include "mgd/model/outline.h"

namespace mgd {

struct Identified {
  std::string architecture;
  double width = 1;
  std::string note;  // for the console: what was found, and what else would fit
};

// The one architecture that has exactly these tensors, under its own names or another library's; a classifier
// of any number of classes, under another name or left out, and any number of input channels. Widths other
// than 1 are tried where none fits as it is. Where several fit, which happens where they differ in arithmetic
// alone, the name of the file (or its folder) may tell: it holds one of theirs as a whole. Throws
// Error(usage): several fit, or none, with the nearest and what differs.
Identified identify(const TensorMap& tensors, const std::string& file);

// The width of an architecture that has tensors of these shapes; 1 where none has.
double width_of(const std::string& architecture, const TensorMap& tensors);

// The classes and channels that weights of an architecture were made for: the outer sizes of the last and the
// first matrix; what the tensors do not tell stays as in `fallback`.
struct WeightBorders {
  std::int64_t classes = 10, channels = 3;
};
WeightBorders borders_of(const Outline& outline, const TensorMap& tensors, WeightBorders fallback = {});
// Under whichever library's names the tensors have. Throws Error(usage) for an unknown architecture.
WeightBorders borders_of(const std::string& architecture, const TensorMap& tensors);

// The tensors under the architecture's own names, where they have those of another library; `note` gets one
// line then, and "" otherwise.
TensorMap with_own_names(const ModelSpec& spec, TensorMap tensors, std::string& note);

}  // namespace mgd
