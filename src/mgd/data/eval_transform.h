// How a picture of any size becomes what a model sees when it is measured or used: timm's evaluation
// transform.
#pragma once

#include <array>
#include <cstdint>

#include "mgd/data/resize.h"

namespace mgd {

// center: the short side is scaled, the middle is cut out, what sticks out is lost. squash: both sides are
// scaled, proportions are lost. border: the long side is scaled, what is missing is filled up.
enum class CropMode { center, squash, border };

// Throws Error(usage) that begins with `where` and names the nearest known mode.
CropMode crop_mode_named(std::string_view name, const std::string& where);
std::string crop_mode_name(CropMode mode);
std::vector<std::string> known_crop_modes();

// Scaling aims at floor(size / crop_pct); the middle of `size` is what comes out. Pictures are scaled and cut
// with the roundings of torchvision and timm (transforms_imagenet_eval), so that results are equal to the
// bit.
struct EvalTransform {
  double crop_pct = 1;
  CropMode mode = CropMode::center;
  Filter filter = Filter::bilinear;
  std::array<std::uint8_t, 3> fill = {};  // of `border`, one a channel
  // Pictures that have the size are not scaled and cut, whatever crop_pct says: somebody made them for the
  // model, and crop_pct is only a guess.
  bool ready_as_is = false;

  // Pictures of `size` that already have it, unless crop_pct is not 1, come back as they are. With center
  // and squash and crop_pct above 1, what is missing is black.
  Image apply(const Image& image, PictureSize size) const;
};

// timm's fill: round(255 mean), halves to even.
std::array<std::uint8_t, 3> border_fill(const std::vector<double>& mean);

}  // namespace mgd
