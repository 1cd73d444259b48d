// ONNX Runtime, where a Python on this machine has it: the judge of what was exported. Never needed.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

struct RuntimeAnswers {
  std::vector<at::Tensor> outputs;  // of each batch
  double latency_ms = 0;            // median, one sample at a time
};

class OnnxRuntime {
 public:
  // The first of $MGD_PYTHON, .venv/bin/python here, and python3 on PATH that has onnxruntime. Where
  // $MGD_PYTHON is set, it alone counts. Nothing when there is none; `why` then says what was tried.
  static std::optional<OnnxRuntime> find(std::string& why);

  const std::string& version() const { return version_; }  // "1.22.0 (python3)"

  // batches: each (B, ...) float or uint8. Throws Error(internal) when the runtime refuses the model.
  RuntimeAnswers run(const fs::path& model, const std::vector<at::Tensor>& batches, int threads) const;

 private:
  OnnxRuntime(std::string python, std::string version)
      : python_(std::move(python)), version_(std::move(version)) {}
  std::string python_, version_;
};

}  // namespace mgd
