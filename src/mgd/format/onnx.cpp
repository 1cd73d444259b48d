#include "mgd/format/onnx.h"

#include <limits>
#include <protozero/pbf_writer.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

using Tag = protozero::pbf_tag_type;

// Field numbers of onnx.proto3, by message.
namespace model_field {
constexpr Tag kIrVersion = 1, kProducer = 2, kProducerVersion = 3, kGraph = 7, kOpset = 8, kMetadata = 14;
}
namespace graph_field {
constexpr Tag kNode = 1, kName = 2, kInitializer = 5, kInput = 11, kOutput = 12;
}
namespace node_field {
constexpr Tag kInput = 1, kOutput = 2, kName = 3, kOp = 4, kAttribute = 5;
}
namespace attribute_field {
constexpr Tag kName = 1, kFloat = 2, kInt = 3, kString = 4, kFloats = 7, kInts = 8, kType = 20;
}
namespace tensor_field {
constexpr Tag kDims = 1, kType = 2, kName = 8, kRawData = 9;
}
namespace value_field {
constexpr Tag kName = 1, kType = 2, kTensorType = 1, kElemType = 1, kShape = 2, kDim = 1, kDimValue = 1,
              kDimParam = 2;
}
constexpr Tag kEntryKey = 1, kEntryValue = 2;     // StringStringEntryProto
constexpr Tag kOpsetVersion = 2;                  // OperatorSetIdProto; no domain: ONNX's own
constexpr std::uint64_t kMostBytes = 0x7fffffff;  // readers keep lengths in 32 bits with a sign

struct AttributeWriter {
  protozero::pbf_writer& out;
  void type(std::int32_t number) const { out.add_int32(attribute_field::kType, number); }
  void operator()(std::int64_t value) const {
    out.add_int64(attribute_field::kInt, value);
    type(2);
  }
  void operator()(float value) const {
    out.add_float(attribute_field::kFloat, value);
    type(1);
  }
  void operator()(const std::string& value) const {
    out.add_bytes(attribute_field::kString, value);
    type(3);
  }
  void operator()(const std::vector<std::int64_t>& values) const {
    out.add_packed_int64(attribute_field::kInts, values.begin(), values.end());
    type(7);
  }
  void operator()(const std::vector<float>& values) const {
    out.add_packed_float(attribute_field::kFloats, values.begin(), values.end());
    type(6);
  }
};

void add_node(protozero::pbf_writer& graph, const OnnxNode& node) {
  protozero::pbf_writer out(graph, graph_field::kNode);
  for (const auto& name : node.inputs) out.add_string(node_field::kInput, name);
  for (const auto& name : node.outputs) out.add_string(node_field::kOutput, name);
  out.add_string(node_field::kName, node.name);
  out.add_string(node_field::kOp, node.op);
  for (const auto& [name, value] : node.attributes) {
    protozero::pbf_writer attribute(out, node_field::kAttribute);
    attribute.add_string(attribute_field::kName, name);
    std::visit(AttributeWriter{attribute}, value);
  }
}

void add_value(protozero::pbf_writer& graph, Tag field, const OnnxValue& value) {
  protozero::pbf_writer out(graph, field);
  out.add_string(value_field::kName, value.name);
  protozero::pbf_writer type(out, value_field::kType);
  protozero::pbf_writer tensor(type, value_field::kTensorType);
  tensor.add_int32(value_field::kElemType, static_cast<std::int32_t>(value.type));
  protozero::pbf_writer shape(tensor, value_field::kShape);
  for (const OnnxDim& dim : value.dims) {
    protozero::pbf_writer entry(shape, value_field::kDim);
    if (const auto* number = std::get_if<std::int64_t>(&dim))
      entry.add_int64(value_field::kDimValue, *number);
    else
      entry.add_string(value_field::kDimParam, std::get<std::string>(dim));
  }
}

void append_varint(std::string& out, std::uint64_t value) {
  for (; value >= 0x80; value >>= 7) out += static_cast<char>(value | 0x80);
  out += static_cast<char>(value);
}

// Tag and length of a field whose bytes follow by other means.
std::string field_head(Tag field, std::uint64_t bytes) {
  std::string head;
  append_varint(head, field << 3 | 2);
  append_varint(head, bytes);
  return head;
}

// Everything of an initializer, the field's own tag included, up to the numbers themselves.
std::string initializer_head(const OnnxTensor& tensor) {
  std::uint64_t count = 1;
  for (const std::int64_t dim : tensor.dims) count *= static_cast<std::uint64_t>(dim);
  MGD_ASSERT(tensor.bytes.size() == count * onnx_item_bytes(tensor.type));
  std::string inner;
  protozero::pbf_writer out(inner);
  out.add_packed_int64(tensor_field::kDims, tensor.dims.begin(), tensor.dims.end());
  out.add_int32(tensor_field::kType, static_cast<std::int32_t>(tensor.type));
  out.add_string(tensor_field::kName, tensor.name);
  inner += field_head(tensor_field::kRawData, tensor.bytes.size());
  return field_head(graph_field::kInitializer, inner.size() + tensor.bytes.size()) + inner;
}

std::string model_head(const OnnxModel& model) {
  std::string bytes;
  protozero::pbf_writer out(bytes);
  out.add_int64(model_field::kIrVersion, kOnnxIrVersion);
  out.add_string(model_field::kProducer, std::string("mgd"));
  out.add_string(model_field::kProducerVersion, model.producer_version);
  {
    protozero::pbf_writer opset(out, model_field::kOpset);
    opset.add_int64(kOpsetVersion, kOnnxOpset);
  }
  for (const auto& [key, value] : model.metadata) {
    protozero::pbf_writer entry(out, model_field::kMetadata);
    entry.add_string(kEntryKey, key);
    entry.add_string(kEntryValue, value);
  }
  return bytes;
}

// The graph but for its initializers; fields may come in any order.
std::string graph_head(const OnnxModel& model) {
  std::string bytes;
  protozero::pbf_writer graph(bytes);
  for (const auto& node : model.nodes) add_node(graph, node);
  graph.add_string(graph_field::kName, model.graph_name);
  for (const auto& value : model.inputs) add_value(graph, graph_field::kInput, value);
  for (const auto& value : model.outputs) add_value(graph, graph_field::kOutput, value);
  return bytes;
}

}  // namespace

std::uint64_t onnx_item_bytes(OnnxType type) {
  switch (type) {
    case OnnxType::float32:
    case OnnxType::int32:
      return 4;
    case OnnxType::int64:
      return 8;
    case OnnxType::uint8:
    case OnnxType::int8:
    case OnnxType::boolean:
      return 1;
  }
  MGD_ASSERT(false);
  return 0;
}

void write_onnx(const OnnxModel& model, const std::function<void(std::string_view)>& write) {
  // The graph's length comes before the graph, so all heads are made first.
  const std::string head = model_head(model), graph = graph_head(model);
  std::vector<std::string> heads;
  std::uint64_t graph_bytes = graph.size();
  for (const auto& tensor : model.initializers) {
    heads.push_back(initializer_head(tensor));
    graph_bytes += heads.back().size() + tensor.bytes.size();
  }
  if (graph_bytes + head.size() + 16 > kMostBytes)
    fail(ExitCode::usage, "{}: {} bytes are more than the 2 GiB that an ONNX file holds", model.graph_name,
         graph_bytes);
  write(head);
  write(field_head(model_field::kGraph, graph_bytes));
  write(graph);
  for (std::size_t i = 0; i < heads.size(); ++i) {
    write(heads[i]);
    write(model.initializers[i].bytes);
  }
}

}  // namespace mgd
