// A network that somebody else's framework saved as TorchScript. It teaches: its outputs are its taps.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mgd/model/image_model.h"

namespace mgd {

struct OpenedScript {
  std::unique_ptr<ImageModel> model;
  bool has_logits = false;         // otherwise its logits are zeros of one class
  std::vector<std::string> notes;  // how tokens were taken, a line an output
};

// Opens a TorchScript file, which is a program: whoever calls this trusts it. `sample`: pictures (B, C, Y, X)
// with which it is run once, to see what it gives. In evaluation mode, without gradient. Its forward pass may
// give
//   a tensor                     called "output"
//   a tuple or list of tensors   called "0", "1", ...
//   a dictionary of tensors      by its names
// each of floats with B rows. Tokens (B, T, H) are taken as the map that their patches are
// (types/token_grid.h), and their first one is the tap NAME.first where it is no patch. The logits are the
// output called "logits", else the first one where that is (B, K). The default tap is the first map (B, C, Y,
// X), else the first output. Graphs run as they were written, so that the same pictures give the same numbers
// in every pass.
//
// Throws Error(bad_data) for what is no TorchScript, fails on the sample, or gives anything else.
OpenedScript open_script(const std::string& file, const at::Tensor& sample);

}  // namespace mgd
