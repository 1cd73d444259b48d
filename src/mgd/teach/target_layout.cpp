#include "mgd/teach/target_layout.h"

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <fmt/ranges.h>

#include <functional>
#include <numeric>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// As the models have them, so that a sample is one stretch of memory in the order in which it is used.
at::MemoryFormat layout_of(std::size_t dimensions) {
  return dimensions == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

at::Tensor rows_of(std::int64_t batch, const std::vector<std::int64_t>& shape) {
  std::vector<std::int64_t> sizes{batch};
  sizes.insert(sizes.end(), shape.begin(), shape.end());
  return at::empty(sizes, at::TensorOptions().dtype(at::kFloat), layout_of(sizes.size()));
}

at::Tensor normal(const at::Tensor& tensor) {
  return tensor.detach()
      .to(at::kCPU, at::kFloat)
      .contiguous(layout_of(static_cast<std::size_t>(tensor.dim())));
}

}  // namespace

TargetLayout::TargetLayout(std::int64_t num_classes, const NodeInfos& taps, const TeacherCacheConfig& config)
    : num_classes_(num_classes), top_k_(config.top_k), code_(float_code_of(config.features)) {
  if (top_k_ >= num_classes && top_k_ > 0)
    fail(ExitCode::usage,
         "train.teacher_cache.top_k: got {}, expected less than the {} classes, or 0 to keep all logits",
         top_k_, num_classes);
  const auto classes = static_cast<std::size_t>(num_classes);
  std::size_t bytes =
      top_k_ > 0 ? top_k_bytes(static_cast<std::size_t>(top_k_)) : coded_bytes(FloatCode::fp32, classes);
  for (const auto& [name, info] : taps) {
    const auto floats = static_cast<std::size_t>(
        std::accumulate(info.sizes.begin(), info.sizes.end(), std::int64_t{1}, std::multiplies<>()));
    taps_.push_back({name, info, floats, bytes});
    bytes += coded_bytes(code_, floats);
  }
  record_bytes_ = static_cast<std::int64_t>(bytes);
}

std::string TargetLayout::describe() const {
  std::string text = fmt::format("logits {}", num_classes_);
  for (const Tap& tap : taps_) text += fmt::format(", {} {}", tap.name, fmt::join(tap.info.sizes, " x "));
  return text;
}

bool TargetLayout::exact() const {
  return top_k_ == 0 && (code_ == FloatCode::fp32 || taps_.empty());
}

Record TargetLayout::empty_output(std::int64_t batch) const {
  Record output{.logits = rows_of(batch, {num_classes_})};
  for (const Tap& tap : taps_)
    output.nodes[tap.name] = {.data = rows_of(batch, tap.info.sizes), .axes = tap.info.axes};
  return output;
}

Record TargetLayout::normalised(const Record& output) const {
  Record result{.logits = normal(output.logits)};
  for (const Tap& tap : taps_)
    result.nodes[tap.name] = {.data = normal(output.nodes.at(tap.name).data), .axes = tap.info.axes};
  return result;
}

void TargetLayout::encode(const Record& from, std::int64_t row, std::byte* record) const {
  const auto classes = static_cast<std::size_t>(num_classes_);
  const float* logits = from.logits.const_data_ptr<float>() + row * num_classes_;
  if (top_k_ > 0)
    encode_top_k(logits, classes, static_cast<std::size_t>(top_k_), record);
  else
    encode_floats(FloatCode::fp32, logits, classes, record);
  for (const Tap& tap : taps_) {
    const float* values =
        from.nodes.at(tap.name).data.const_data_ptr<float>() + static_cast<std::size_t>(row) * tap.floats;
    encode_floats(code_, values, tap.floats, record + tap.offset);
  }
}

void TargetLayout::decode(const std::byte* record, std::int64_t row, Record& to) const {
  const auto classes = static_cast<std::size_t>(num_classes_);
  float* logits = to.logits.mutable_data_ptr<float>() + row * num_classes_;
  if (top_k_ > 0)
    decode_top_k(record, classes, static_cast<std::size_t>(top_k_), logits);
  else
    decode_floats(FloatCode::fp32, record, classes, logits);
  for (const Tap& tap : taps_) {
    float* values =
        to.nodes.at(tap.name).data.mutable_data_ptr<float>() + static_cast<std::size_t>(row) * tap.floats;
    decode_floats(code_, record + tap.offset, tap.floats, values);
  }
}

}  // namespace mgd
