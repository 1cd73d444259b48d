// What moves numbers without changing them.
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/split_with_sizes.h>
#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"
#include "mgd/export/interpret.h"

namespace mgd {

namespace {

using Ints = std::vector<std::int64_t>;
using Values = std::vector<at::Tensor>;

Values identity(const OnnxNode&, const Values& in) {
  return {in[0]};
}

Values cast(const OnnxNode& node, const Values& in) {
  const auto to = static_cast<OnnxType>(attribute(node, "to", std::int64_t{1}));
  MGD_ASSERT(to == OnnxType::float32 || to == OnnxType::int64);
  return {in[0].to(to == OnnxType::float32 ? at::kFloat : at::kLong)};
}

Values shape(const OnnxNode&, const Values& in) {
  return {at::tensor(in[0].sizes().vec(), at::kLong)};
}

Values reshape(const OnnxNode&, const Values& in) {
  Ints sizes = integers_of(in[1]);
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] == 0) sizes[d] = in[0].size(static_cast<std::int64_t>(d));
  return {in[0].reshape(sizes)};
}

Values flatten(const OnnxNode&, const Values& in) {
  return {in[0].flatten(1)};
}

Values transpose(const OnnxNode& node, const Values& in) {
  return {in[0].permute(attribute(node, "perm", Ints{}))};
}

Values concat(const OnnxNode& node, const Values& in) {
  return {at::cat(in, attribute(node, "axis", std::int64_t{0}))};
}

Values split(const OnnxNode& node, const Values& in) {
  return at::split_with_sizes(in[0], integers_of(in[1]), attribute(node, "axis", std::int64_t{0}));
}

Values slice(const OnnxNode&, const Values& in) {
  const Ints start = integers_of(in[1]), end = integers_of(in[2]), axes = integers_of(in[3]),
             steps = integers_of(in[4]);
  at::Tensor y = in[0];
  for (std::size_t i = 0; i < axes.size(); ++i) y = y.slice(axes[i], start[i], end[i], steps[i]);
  return {y};
}

Values gather(const OnnxNode& node, const Values& in) {
  const std::int64_t axis = attribute(node, "axis", std::int64_t{0});
  if (in[1].dim() == 0) return {in[0].select(axis, in[1].item<std::int64_t>())};
  MGD_ASSERT(in[1].dim() == 1);
  return {at::index_select(in[0], axis, in[1])};
}

Values pad(const OnnxNode&, const Values& in) {
  const Ints pads = integers_of(in[1]);  // begins of all axes, then ends
  const std::size_t rank = pads.size() / 2;
  Ints pairs;  // LibTorch: begin and end of the last axis first
  for (std::size_t d = rank; d-- > 0;) {
    pairs.push_back(pads[d]);
    pairs.push_back(pads[rank + d]);
  }
  return {at::constant_pad_nd(in[0], pairs, in.size() > 2 && in[2].defined() ? in[2].item() : at::Scalar(0))};
}

Values expand(const OnnxNode&, const Values& in) {
  Ints sizes = integers_of(in[1]);
  const auto added = static_cast<std::int64_t>(sizes.size()) - in[0].dim();
  for (std::size_t d = 0; d < sizes.size(); ++d)
    if (sizes[d] == 1 && static_cast<std::int64_t>(d) >= added)
      sizes[d] = in[0].size(static_cast<std::int64_t>(d) - added);
  return {in[0].expand(sizes)};
}

constexpr NodeReader kReaders[] = {{"Identity", identity}, {"Flatten", flatten}, {"Cast", cast},
                                   {"Shape", shape},       {"Reshape", reshape}, {"Transpose", transpose},
                                   {"Concat", concat},     {"Split", split},     {"Slice", slice},
                                   {"Gather", gather},     {"Pad", pad},         {"Expand", expand}};

}  // namespace

std::span<const NodeReader> shape_readers() {
  return kReaders;
}

}  // namespace mgd
