#include "mgd/data/eval_transform.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {
namespace {

constexpr std::array<const char*, 3> kModes = {"center", "squash", "border"};  // in the order of CropMode

std::int64_t half_even(double value) {  // Python's round()
  return static_cast<std::int64_t>(std::nearbyint(value));
}

// torchvision's Resize with one number: the short side becomes `shorter`, the long one is truncated.
PictureSize by_short_side(PictureSize from, std::int64_t shorter) {
  const auto longer = [&](std::int64_t a, std::int64_t b) {
    return static_cast<std::int64_t>(static_cast<double>(shorter * a) / static_cast<double>(b));
  };
  if (from.width <= from.height) return {.height = longer(from.height, from.width), .width = shorter};
  return {.height = shorter, .width = longer(from.width, from.height)};
}

// timm's ResizeKeepRatio: one side becomes that of `target`, the other is rounded.
PictureSize keeping_ratio(PictureSize from, PictureSize target, bool fit_longer) {
  const double down = static_cast<double>(from.height) / static_cast<double>(target.height);
  const double across = static_cast<double>(from.width) / static_cast<double>(target.width);
  const double ratio = fit_longer ? std::max(down, across) : std::min(down, across);
  return {.height = std::max<std::int64_t>(1, half_even(static_cast<double>(from.height) / ratio)),
          .width = std::max<std::int64_t>(1, half_even(static_cast<double>(from.width) / ratio))};
}

// Where one side of the scaled picture and one of the result meet: torchvision's CenterCrop, which fills up
// before it cuts.
struct Overlap {
  std::int64_t source = 0, target = 0, count = 0;
};
Overlap overlap_of(std::int64_t scaled, std::int64_t wanted) {
  if (scaled >= wanted)
    return {.source = half_even(static_cast<double>(scaled - wanted) / 2), .target = 0, .count = wanted};
  return {.source = 0, .target = (wanted - scaled) / 2, .count = scaled};
}

Image filled(PictureSize size, std::int64_t channels, const std::array<std::uint8_t, 3>& fill) {
  Image out{size.height, size.width, channels, {}};
  out.pixels.resize(static_cast<std::size_t>(size.height * size.width * channels));
  for (std::size_t i = 0; i < out.pixels.size(); ++i)
    out.pixels[i] = fill[i % static_cast<std::size_t>(channels)];
  return out;
}

void paste(const Image& part, std::int64_t top, std::int64_t left, Image& into) {
  const std::int64_t row = part.width * part.channels;
  for (std::int64_t y = 0; y < part.height; ++y)
    std::copy_n(part.pixels.begin() + y * row, row,
                into.pixels.begin() + ((top + y) * into.width + left) * into.channels);
}

}  // namespace

std::vector<std::string> known_crop_modes() {
  return {kModes.begin(), kModes.end()};
}

std::string crop_mode_name(CropMode mode) {
  return kModes.at(static_cast<std::size_t>(mode));
}

CropMode crop_mode_named(std::string_view name, const std::string& where) {
  for (std::size_t i = 0; i < kModes.size(); ++i)
    if (name == kModes[i]) return static_cast<CropMode>(i);
  fail(ExitCode::usage, "{}: got '{}', which is no way of cutting{}", where, printable(name),
       suggestion(name, known_crop_modes()));
}

std::array<std::uint8_t, 3> border_fill(const std::vector<double>& mean) {
  std::array<std::uint8_t, 3> fill = {};
  for (std::size_t c = 0; c < std::min(fill.size(), mean.size()); ++c)
    fill[c] = static_cast<std::uint8_t>(std::clamp<std::int64_t>(half_even(255 * mean[c]), 0, 255));
  return fill;
}

Image EvalTransform::apply(const Image& image, PictureSize size) const {
  MGD_ASSERT(size.height > 0 && size.width > 0 && crop_pct > 0);
  const PictureSize have{.height = image.height, .width = image.width};
  if (ready_as_is && have == size) return image;
  const auto scaled_side = [&](std::int64_t side) {
    return std::max<std::int64_t>(
        1, static_cast<std::int64_t>(std::floor(static_cast<double>(side) / crop_pct)));
  };
  const PictureSize aim{.height = scaled_side(size.height), .width = scaled_side(size.width)};
  PictureSize scaled = aim;
  if (mode == CropMode::border)
    scaled = keeping_ratio(have, aim, true);
  else if (mode == CropMode::center)
    scaled = aim.height == aim.width ? by_short_side(have, aim.height) : keeping_ratio(have, aim, false);
  if (scaled == have && have == size) return image;
  const Overlap down = overlap_of(scaled.height, size.height), across = overlap_of(scaled.width, size.width);
  Image part = scale_part(
      image,
      {.from = {.height = have.height, .width = have.width},
       .size = scaled,
       .window = {.top = down.source, .left = across.source, .height = down.count, .width = across.count},
       .filter = filter});
  if (part.height == size.height && part.width == size.width) return part;
  Image out = filled(size, image.channels, mode == CropMode::border ? fill : decltype(fill){});
  paste(part, down.target, across.target, out);
  return out;
}

}  // namespace mgd
