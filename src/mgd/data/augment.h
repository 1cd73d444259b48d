// Augmentation as pure functions of (seed, epoch, sample).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/data/image_source.h"

namespace mgd {

// The size in which the pictures of a batch end.
struct PictureSize {
  std::int64_t height = 0, width = 0;
};

// One picture -> one picture, drawing only from `random`.
class Augmentation {
 public:
  virtual ~Augmentation() = default;
  // Changes `image`. `spare` lends its memory: a step that cannot work in place writes there and swaps.
  virtual void apply(Image& image, Image& spare, PictureSize target, RandomStream& random) const = 0;
  // Whether the step cuts from the stored picture and scales to `target` itself.
  virtual bool wants_full_size() const { return false; }
};

// The chain of a recipe: crop, flip, cutout, random_resized_crop and color_jitter in the order written. mixup
// and cutmix join two samples after their chains and belong to the batch.
struct AugmentChain {
  std::vector<std::unique_ptr<Augmentation>> steps;
  double mixup_alpha = 0;  // 0 = off
  double cutmix_alpha = 0;

  bool mixes() const { return mixup_alpha > 0 || cutmix_alpha > 0; }
  bool wants_full_size() const;
  // One a step; made once, because a key costs more than many a step.
  std::vector<PhiloxKey> keys(std::uint64_t seed) const;
  struct Draw {
    std::span<const PhiloxKey> keys;
    std::uint32_t epoch = 0;
    std::int64_t sample = 0;
    PictureSize target = {};
  };
  void apply(Image& image, Image& spare, const Draw& draw) const;
};

// Each entry is {name: NAME, options...}. The short form `crop: 4` (key `value`) sets the option named first:
//   crop                 padding (4), fill (0): pads on each side, then cuts the old size out at random
//   flip                 p (0.5): left-right
//   cutout               size (8): blacks out a square
//   random_resized_crop  min_scale (0.08), max_scale (1), min_ratio (3/4), max_ratio (4/3)
//   color_jitter         brightness, contrast, saturation (0.4), hue (0.1); short: the first three, hue 0
//   mixup, cutmix        alpha (1); with both, each sample takes one of them with probability 1/2
// Throws Error(usage) with the place for an unknown name or option (the nearest is named), a value out of
// range, and a second mixup or cutmix.
AugmentChain make_augmentations(const std::vector<Node>& entries);
std::vector<std::string> known_augmentations();

// Antialiased bilinear, within 1 level of Pillow's Image.resize(..., BILINEAR). Sizes must be positive.
Image resize(const Image& image, std::int64_t height, std::int64_t width);
// The same for a part: the box of `image` from (top, left).
Image resize_box(const Image& image, std::int64_t top, std::int64_t left, PictureSize box,
                 PictureSize target);
// Scales until height x width is covered and cuts the centre out.
Image resize_center(const Image& image, std::int64_t height, std::int64_t width);

}  // namespace mgd
