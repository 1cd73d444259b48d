// Files for scripts/slow/onnx_parity.py, which runs them in ONNX Runtime.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/uniform.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "mgd/export/image_graph.h"
#include "mgd/export/onnx_file.h"
#include "mgd/format/npy_write.h"

namespace mgd {
namespace {

void save(const fs::path& file, const at::Tensor& tensor) {
  const at::Tensor plain = tensor.contiguous();
  write_file_synced(file, npy_header("f4", plain.sizes().vec()) +
                              std::string(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()));
}

void export_one(const fs::path& folder, const std::string& name, std::int64_t size) {
  const auto model = make_model({.architecture = name,
                                 .num_classes = size == 64 ? 5 : 11,
                                 .in_channels = 3,
                                 .image_height = size,
                                 .image_width = size},
                                3);
  for (const auto& entry : model->state()) {
    at::Tensor tensor = entry.tensor.detach();
    if (entry.name.ends_with("running_mean")) tensor.uniform_(-0.2, 0.2);
    if (entry.name.ends_with("running_var")) tensor.uniform_(0.7, 1.5);
  }
  const ImageGraph exported = image_graph(*model, size, size);
  FilePublisher file(folder / (name + "-" + std::to_string(size) + ".onnx"));
  write_graph(exported.graph, {.name = name, .version = "test"}, file);
  file.publish();
  const at::NoGradGuard no_grad;
  for (const std::int64_t batch : {1, 3}) {
    const at::Tensor input = at::randn({batch, 3, size, size});
    Forward forward(/*training=*/false);
    const std::string stem = name + "-" + std::to_string(size) + "-" + std::to_string(batch);
    save(folder / (stem + ".in.npy"), input);
    save(folder / (stem + ".out.npy"), model->forward(input, forward));
  }
}

// MGD_ONNX_FOLDER: where to; MGD_ONNX_MODELS: names with commas between them, all when it is not set.
TEST(OnnxParity, WritesEveryArchitecture) {
  const char* folder = std::getenv("MGD_ONNX_FOLDER");
  if (folder == nullptr) GTEST_SKIP() << "for scripts/slow/onnx_parity.py";
  const char* only = std::getenv("MGD_ONNX_MODELS");
  const std::string wanted = only == nullptr ? "" : "," + std::string(only) + ",";
  for (const auto& name : known_models())
    for (const std::int64_t size : {64, 97})
      if (wanted.empty() || wanted.find("," + name + ",") != std::string::npos)
        export_one(folder, name, size);
}

}  // namespace
}  // namespace mgd
