#include "mgd/nn/device.h"

#include <ATen/Context.h>

#include "mgd/core/error.h"

namespace mgd {

at::Device open_device(const std::string& name, const std::string& option) {
  const at::Device device(name);
  if (!device.is_cuda()) return device;
  at::Context& context = at::globalContext();
  if (!context.hasCUDART())
    fail(ExitCode::environment, "{}: {}: this LibTorch was built without CUDA; use {}=cpu", option, name,
         option);
  if (!context.hasCUDA())
    fail(ExitCode::environment,
         "{}: {}: LibTorch finds no GPU or no driver (does nvidia-smi list one?); use {}=cpu", option, name,
         option);
  // Matrix products are float32 by LibTorch's default, so only convolutions need a word.
  context.setFloat32Precision(at::Float32Backend::CUDA, at::Float32Op::CONV, at::Float32Precision::IEEE);
  // A resumed run is byte-identical to one that was never stopped only if the same step gives the same bits.
  context.setDeterministicCuDNN(true);
  return device;
}

}  // namespace mgd
