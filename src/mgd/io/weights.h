// Weights between modules and safetensors files.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/nn/module.h"

namespace mgd {

using TensorMap = std::map<std::string, at::Tensor>;

// A safetensors file, or a sharded set by its *.safetensors.index.json. Tensors own their memory. Throws
// Error(missing_input), Error(bad_data), and Error(refused) for pickle files (by magic bytes, with the
// command that converts one).
TensorMap load_tensors(const std::string& path, std::map<std::string, std::string>* metadata = nullptr);

// Throws Error(missing_input | usage | bad_data) for what is none: a file, nothing, an adapter alone, or the
// folder of a run, whose model is named.
void require_model_folder(const std::filesystem::path& folder);

// The weights of a model folder: model.safetensors, else its index. Throws Error(missing_input) when there
// are none, or no config.json beside them, and Error(refused) when there is only a pickle.
fs::path weights_of_folder(const fs::path& folder);

// The bytes of a safetensors file ({"format":"pt"} always; sorted by dtype width, then name). Tensors may be
// on any device.
std::string tensors_to_safetensors(const TensorMap& tensors,
                                   const std::map<std::string, std::string>& metadata = {});

// Copies by name into the module (parameters and buffers), converting the dtype. Throws Error(bad_data)
// listing missing, unexpected and misshaped tensors and integers in the place of floating-point numbers (at
// most 8 of each, then a count). A missing num_batches_tracked is no mismatch.
void load_state(Module& module, const TensorMap& tensors, const std::string& source);

// Throws Error(bad_data) naming the tensors that hold NaN or infinity: nothing such a model says is worth
// anything.
void require_finite(const Module& module, const std::string& source);

// Detached, on the CPU. The tensors of a module on the CPU share its storage: clone() what must not follow
// it.
TensorMap state_of(const Module& module);

}  // namespace mgd
