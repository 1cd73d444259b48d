#include "mgd/model/mobile_names.h"

#include <fmt/core.h>

namespace mgd {

namespace {

// torchvision numbers the parts of a row: convolution "0" and norm "1" of part n, which is their node.
UnitNames numbered(const std::string& row, std::int64_t n) {
  return {fmt::format("{}.{}.0", row, n), fmt::format("{}.{}.1", row, n), fmt::format("{}.{}", row, n)};
}

BlockNames numbered_block(MobileSpelling spelling, const BlockPlace& place) {
  const bool second = spelling == MobileSpelling::torchvision_v2;
  const std::string row = second ? "conv" : "block";
  BlockNames names{.expand = {},
                   .depthwise = {},
                   .project = {},
                   .squeeze = "",
                   .reduce = "fc1",
                   .widen = "fc2",
                   .inner = row};
  std::int64_t n = 0;
  if (place.expands) names.expand = numbered(row, n++);
  names.depthwise = numbered(row, n++);
  if (place.squeezes) names.squeeze = fmt::format("{}.{}", row, n++);
  names.project = numbered(row, n);
  // MobileNetV2's projection is not wrapped: its norm is the next part.
  if (second) names.project = {fmt::format("conv.{}", n), fmt::format("conv.{}", n + 1), ""};
  return names;
}

}  // namespace

std::string block_path(MobileSpelling spelling, const BlockPlace& place) {
  switch (spelling) {
    case MobileSpelling::timm:
      return fmt::format("blocks.{}.{}", place.stage, place.index);
    case MobileSpelling::torchvision_efficientnet:
      return fmt::format("features.{}.{}", place.stage + 1, place.index);
    default:
      return fmt::format("features.{}", place.number + 1);
  }
}

std::string stage_path(MobileSpelling spelling, std::int64_t stage) {
  switch (spelling) {
    case MobileSpelling::timm:
      return fmt::format("blocks.{}", stage);
    case MobileSpelling::torchvision_efficientnet:
      return fmt::format("features.{}", stage + 1);
    default:
      return "";
  }
}

BlockNames block_names(MobileSpelling spelling, const BlockPlace& place) {
  if (spelling != MobileSpelling::timm) return numbered_block(spelling, place);
  BlockNames names{.expand = {"conv_pw", "bn1", ""},
                   .depthwise = {"conv_dw", "bn2", ""},
                   .project = {"conv_pwl", "bn3", ""},
                   .squeeze = "se",
                   .reduce = "conv_reduce",
                   .widen = "conv_expand",
                   .inner = ""};
  if (!place.expands) {
    names.depthwise = {"conv_dw", "bn1", ""};
    names.project = {"conv_pw", "bn2", ""};
  }
  return names;
}

FrameNames frame_names(MobileSpelling spelling, std::int64_t stages, std::int64_t blocks, bool has_hidden) {
  if (spelling == MobileSpelling::timm) {
    FrameNames names{.stem = {"conv_stem", "bn1", ""},
                     .last = {"conv_head", "bn2", ""},
                     .last_stage = "",
                     .trunk = "blocks",
                     .trunk_ends_in_last = has_hidden,
                     .hidden = "conv_head",
                     .hidden_is_conv = true,
                     .dropout = "",
                     .classifier = "classifier"};
    if (!has_hidden) return names;
    names.last_stage = fmt::format("blocks.{}", stages);
    const std::string last = names.last_stage + ".0";
    names.last = {last + ".conv", last + ".bn1", last};
    return names;
  }
  const bool by_stage = spelling == MobileSpelling::torchvision_efficientnet;
  return {.stem = numbered("features", 0),
          .last = numbered("features", (by_stage ? stages : blocks) + 1),
          .last_stage = "",
          .trunk = "features",
          .trunk_ends_in_last = true,
          .hidden = "classifier.0",
          .hidden_is_conv = false,
          .dropout = has_hidden ? "classifier.2" : "classifier.0",
          .classifier = has_hidden ? "classifier.3" : "classifier.1"};
}

}  // namespace mgd
