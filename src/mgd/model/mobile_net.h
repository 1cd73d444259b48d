// Mobile networks as tables: MobileNetV2 and V3, EfficientNet and its Lite form differ in rows and numbers.
#pragma once

#include <memory>
#include <span>

#include "mgd/model/architectures.h"
#include "mgd/model/mobile_block.h"

namespace mgd {

struct MobileRow {
  std::int64_t blocks, kernel, stride;  // the stride is the first block's
  double expansion;                     // hidden channels over input channels
  std::int64_t channels;
  bool squeeze = false;
  bool relu = false;   // in place of the network's activation
  bool joins = false;  // stands in the stage of the row before
};

// How a layer follows the width of the network.
enum class FollowsWidth { yes, upwards, no };

struct MobilePlan {
  std::span<const MobileRow> rows;
  MobileSpelling spelling = MobileSpelling::timm;
  double width = 1, depth = 1;  // of this size of the family
  Activation activation = Activation::relu6;

  std::int64_t stem = 32, last = 1280;
  std::int64_t hidden = 0;  // the layer between pooling and classifier; 0: none
  FollowsWidth last_follows = FollowsWidth::yes, hidden_follows = FollowsWidth::no;
  double stem_fixed_below = 0;    // widths under which the stem keeps its channels
  bool fixed_end_stages = false;  // the depth of the first and the last stage does not grow
  bool scales_expanded = false;  // torchvision's V3: expanded channels scale by themselves, and `last` is six
                                 // times the channels of the last block

  bool squeeze_of_input = true;  // a quarter of the block's input channels; false: of the expanded, by eights
  Activation squeeze_activation = Activation::relu, gate = Activation::sigmoid;
  MobileStyle style;
  Init classifier_init = Init::uniform_fan_out;
  double dropout = 0;
};

std::unique_ptr<ImageModel> make_mobile_net(const ModelSpec& spec, const MobilePlan& plan,
                                            RandomStream& random);

}  // namespace mgd
