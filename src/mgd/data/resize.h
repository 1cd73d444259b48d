// Scaling of pictures with Pillow's filters, to the bit.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/format/image.h"

namespace mgd {

struct PictureSize {
  std::int64_t height = 0, width = 0;
  bool operator==(const PictureSize&) const = default;
};

// A part of a picture, in pixels.
struct PictureBox {
  std::int64_t top = 0, left = 0, height = 0, width = 0;
};

// The names are Pillow's and timm's; each filter is widened where a picture becomes smaller (antialiasing),
// except `nearest`.
enum class Filter { nearest, box, bilinear, hamming, bicubic, lanczos };

// Throws Error(usage | bad_data) that begins with `where` and names the nearest known filter.
Filter filter_named(std::string_view name, const std::string& where);
std::string filter_name(Filter filter);
std::vector<std::string> known_filters();

// The part `from` of a picture, scaled to `size`, of which only `window` is made.
struct Scaling {
  PictureBox from;
  PictureSize size;
  PictureBox window;
  Filter filter = Filter::bilinear;
};
// What Pillow's crop(from).resize(size, filter).crop(window) gives. Boxes must lie inside; sizes are
// positive.
Image scale_part(const Image& image, const Scaling& scaling);

// The whole picture.
Image resize(const Image& image, PictureSize size, Filter filter = Filter::bilinear);
// A box of it.
Image resize_box(const Image& image, const PictureBox& box, PictureSize size,
                 Filter filter = Filter::bilinear);

}  // namespace mgd
