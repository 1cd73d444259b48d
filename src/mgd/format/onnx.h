// An ONNX model as data, and its bytes: the protocol buffer of onnx.proto3, written without libprotobuf.
// What the fields mean: https://onnx.ai/onnx/repo-docs/IR.html
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace mgd {

enum class OnnxType : std::int32_t { float32 = 1, uint8 = 2, int8 = 3, int32 = 6, int64 = 7, boolean = 9 };

std::uint64_t onnx_item_bytes(OnnxType type);

struct OnnxTensor {
  std::string name;
  OnnxType type = OnnxType::float32;
  std::vector<std::int64_t> dims;  // empty: a single number
  std::string_view bytes;          // little-endian, C order; of somebody who outlives the writing
};

using OnnxAttribute =
    std::variant<std::int64_t, float, std::string, std::vector<std::int64_t>, std::vector<float>>;

struct OnnxNode {
  std::string op, name;                      // "Conv", "layer1.0.conv1"
  std::vector<std::string> inputs, outputs;  // "" = an optional one that is not given
  std::map<std::string, OnnxAttribute> attributes;
};

using OnnxDim = std::variant<std::int64_t, std::string>;  // a number, or the name of one that is free

struct OnnxValue {
  std::string name;
  OnnxType type = OnnxType::float32;
  std::vector<OnnxDim> dims;
};

struct OnnxModel {
  std::string producer_version, graph_name;
  std::vector<OnnxValue> inputs, outputs;
  std::vector<OnnxNode> nodes;  // each after those it reads from
  std::vector<OnnxTensor> initializers;
  std::vector<std::pair<std::string, std::string>> metadata;  // metadata_props, in this order
};

inline constexpr std::int64_t kOnnxOpset = 17, kOnnxIrVersion = 8;

// Gives the bytes to `write`, piece by piece; a tensor's own bytes are never copied. Throws Error(usage) for
// a model above the 2 GiB of a protocol buffer. A tensor whose bytes are not its dims times its item is a
// mistake of the caller.
void write_onnx(const OnnxModel& model, const std::function<void(std::string_view)>& write);

}  // namespace mgd
