// Where the arithmetic is done.
#pragma once

#include <c10/core/Device.h>

#include <string>

namespace mgd {

// "cpu" or "cuda", ready for training. `option` names the setting in errors. Throws Error(environment) when
// this LibTorch was built without CUDA, or sees no GPU.
//
// For CUDA it sets two switches of LibTorch, for the whole process: convolutions of float32 stay float32
// (LibTorch's own default is TF32, which keeps 10 bits of each factor), and cuDNN uses deterministic
// algorithms only.
at::Device open_device(const std::string& name, const std::string& option);

}  // namespace mgd
