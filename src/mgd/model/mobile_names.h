// What timm and torchvision call the parts of one and the same mobile network. Names are data here: the
// blocks (model/mobile_block.h) and the network (model/mobile_net.h) are built once, under the names they are
// handed.
#pragma once

#include <cstdint>
#include <string>

namespace mgd {

enum class MobileSpelling { timm, torchvision_v2, torchvision_v3, torchvision_efficientnet };

// A convolution, its norm, and the node behind the activation ("" where the library has no name for it).
struct UnitNames {
  std::string conv, norm, out;
};

struct BlockNames {
  UnitNames expand, depthwise, project;
  std::string squeeze, reduce, widen;  // squeeze-and-excitation and its two convolutions
  std::string inner;                   // the node before the shortcut is added; "": none
};

// Where a block stands: in its stage, and among all blocks.
struct BlockPlace {
  std::int64_t stage = 0, index = 0, number = 0;
  bool expands = false, squeezes = false;
};

std::string block_path(MobileSpelling spelling, const BlockPlace& place);
std::string stage_path(MobileSpelling spelling, std::int64_t stage);  // the node behind a stage; "": none
BlockNames block_names(MobileSpelling spelling, const BlockPlace& place);

// What is around the blocks. `stages` and `blocks` are how many there are.
struct FrameNames {
  UnitNames stem, last;     // `last`: the 1x1 unit behind the blocks
  std::string last_stage;   // the stage that `last` is the only block of; "": it is in none
  std::string trunk;        // the node of all blocks,
  bool trunk_ends_in_last;  // and whether `last` is one of them
  std::string hidden;       // the layer between pooling and classifier, of networks that have one
  bool hidden_is_conv;      // ... as a convolution of the pooled map
  std::string dropout, classifier;
};
FrameNames frame_names(MobileSpelling spelling, std::int64_t stages, std::int64_t blocks, bool has_hidden);

}  // namespace mgd
