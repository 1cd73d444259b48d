#include "mgd/export/onnx_file.h"

#include "mgd/core/error.h"

namespace mgd {

namespace {

OnnxType type_of(at::ScalarType type) {
  switch (type) {
    case at::kFloat:
      return OnnxType::float32;
    case at::kLong:
      return OnnxType::int64;
    case at::kInt:
      return OnnxType::int32;
    case at::kByte:
      return OnnxType::uint8;
    case at::kChar:
      return OnnxType::int8;
    default:
      MGD_ASSERT(false);
  }
  return OnnxType::float32;
}

}  // namespace

void write_graph(const Graph& graph, const OnnxHeader& header, FilePublisher& file) {
  OnnxModel model{.producer_version = header.version,
                  .graph_name = header.name,
                  .inputs = graph.inputs,
                  .outputs = graph.outputs,
                  .nodes = graph.nodes,
                  .initializers = {},
                  .metadata = header.metadata};
  std::vector<at::Tensor> kept;  // their bytes are written last
  for (const auto& [name, tensor] : graph.constants) {
    kept.push_back(tensor.contiguous());
    model.initializers.push_back(
        {.name = name,
         .type = type_of(tensor.scalar_type()),
         .dims = tensor.sizes().vec(),
         .bytes = {static_cast<const char*>(kept.back().const_data_ptr()), kept.back().nbytes()}});
  }
  write_onnx(model, [&](std::string_view bytes) { file.write(bytes); });
  file.finish();
}

}  // namespace mgd
