// Augmentation as pure functions of (seed, epoch, sample).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/data/image_source.h"
#include "mgd/data/resize.h"

namespace mgd {

// How the pictures of a batch end, and what scales those that need it.
struct PictureAim {
  PictureSize size;
  Filter filter = Filter::bilinear;
};

// One picture -> one picture, drawing only from `random`.
class Augmentation {
 public:
  virtual ~Augmentation() = default;
  // Changes `image`. `spare` lends its memory: a step that cannot work in place writes there and swaps.
  virtual void apply(Image& image, Image& spare, const PictureAim& aim, RandomStream& random) const = 0;
  // Above 0: the step cuts from the stored picture and scales to the aim itself. The shortest side that a cut
  // can have, as a share of the picture's short side.
  virtual double shortest_cut() const { return 0; }
};

// The chain of a recipe: crop, flip, cutout, random_resized_crop and color_jitter in the order written. mixup
// and cutmix join two samples after their chains and belong to the batch.
struct AugmentChain {
  std::vector<std::unique_ptr<Augmentation>> steps;
  double mixup_alpha = 0;  // 0 = off
  double cutmix_alpha = 0;

  bool mixes() const { return mixup_alpha > 0 || cutmix_alpha > 0; }
  // Of the steps that cut from the stored picture; 0: none does.
  double shortest_cut() const;
  // One a step; made once, because a key costs more than many a step.
  std::vector<PhiloxKey> keys(std::uint64_t seed) const;
  struct Draw {
    std::span<const PhiloxKey> keys;
    std::uint32_t epoch = 0;
    std::int64_t sample = 0;
    PictureAim aim = {};
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

}  // namespace mgd
