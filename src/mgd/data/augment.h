// Augmentation as pure functions of (seed, epoch, sample).
#pragma once

#include "mgd/core/philox.h"
#include "mgd/data/image_source.h"

#include <memory>
#include <string>
#include <vector>

namespace mgd {

// One picture -> one picture, drawing only from `random`.
class Augmentation {
 public:
  virtual ~Augmentation() = default;
  virtual Image apply(Image image, RandomStream& random) const = 0;
};

// The chain of a recipe: crop (random crop after padding by `value`), flip (horizontal, p), random_resized_crop, color_jitter,
// cutout. mixup and cutmix mix two samples and belong to the batch: see Mixing.
struct AugmentChain {
  std::vector<std::unique_ptr<Augmentation>> steps;
  double mixup_alpha = 0;   // 0 = off
  double cutmix_alpha = 0;
  Image apply(Image image, std::uint64_t seed, std::uint32_t epoch, std::int64_t sample) const;
};

AugmentChain make_augmentations(const std::vector<Node>& entries);  // unknown: Error(usage), nearest named
std::vector<std::string> known_augmentations();

// Resize so that the shorter side is `size` and cut the centre; antialiased bilinear, within 1 level of Pillow.
Image resize_center(const Image& image, std::int64_t height, std::int64_t width);
Image resize(const Image& image, std::int64_t height, std::int64_t width);  // antialiased bilinear

}  // namespace mgd
