#include <ATen/core/Tensor.h>
#include <ATen/ops/_upsample_bilinear2d_aa.h>
#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/data/augment.h"

namespace mgd {

Image resize_box(const Image& image, std::int64_t top, std::int64_t left, PictureSize box,
                 PictureSize target) {
  MGD_ASSERT(target.height > 0 && target.width > 0 && box.height > 0 && box.width > 0);
  MGD_ASSERT(top >= 0 && left >= 0 && top + box.height <= image.height && left + box.width <= image.width);
  const std::int64_t c = image.channels;
  auto* first = const_cast<std::uint8_t*>(image.pixels.data()) + (top * image.width + left) * c;  // only read
  const auto view =
      at::from_blob(first, {1, box.height, box.width, c}, {0, image.width * c, c, 1}, at::kByte);
  const auto planes = view.permute({0, 3, 1, 2}).contiguous(at::MemoryFormat::ChannelsLast);
  // The byte kernel rounds between the two passes, as Pillow does.
  const auto out = at::_upsample_bilinear2d_aa(planes, {target.height, target.width}, false)
                       .permute({0, 2, 3, 1})
                       .contiguous();
  const auto* bytes = out.const_data_ptr<std::uint8_t>();
  return {target.height, target.width, c, {bytes, bytes + out.numel()}};
}

Image resize(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.height == height && image.width == width) return image;
  return resize_box(image, 0, 0, {image.height, image.width}, {height, width});
}

namespace {

Image cut(const Image& image, std::int64_t top, std::int64_t left, PictureSize box) {
  Image out{box.height, box.width, image.channels, {}};
  out.pixels.reserve(static_cast<std::size_t>(box.height * box.width * image.channels));
  for (std::int64_t y = 0; y < box.height; ++y) {
    const auto from = image.pixels.begin() + ((y + top) * image.width + left) * image.channels;
    out.pixels.insert(out.pixels.end(), from, from + box.width * image.channels);
  }
  return out;
}

Image cut_center(const Image& image, PictureSize box) {
  return cut(image, (image.height - box.height) / 2, (image.width - box.width) / 2, box);
}

}  // namespace

Image resize_center(const Image& image, std::int64_t height, std::int64_t width) {
  if (image.height == height && image.width == width) return image;
  // Of a picture one pixel high and millions wide, almost all would be scaled up only to be cut off again.
  constexpr std::int64_t kMostLonger = 32;
  const PictureSize core{
      .height = std::min(image.height, kMostLonger * std::max(height, width) * image.width),
      .width = std::min(image.width, kMostLonger * std::max(height, width) * image.height)};
  if (core.height != image.height || core.width != image.width)
    return resize_center(cut_center(image, core), height, width);
  const double scale = std::max(static_cast<double>(height) / static_cast<double>(image.height),
                                static_cast<double>(width) / static_cast<double>(image.width));
  const auto scaled = [&](std::int64_t from, std::int64_t at_least) {
    return std::max(at_least, static_cast<std::int64_t>(std::lround(static_cast<double>(from) * scale)));
  };
  const Image big = resize(image, scaled(image.height, height), scaled(image.width, width));
  return cut_center(big, {height, width});
}

}  // namespace mgd
