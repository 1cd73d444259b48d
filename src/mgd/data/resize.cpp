#include "mgd/data/resize.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "mgd/core/error.h"
#include "mgd/kernels/resample.h"

namespace mgd {
namespace {

double box_filter(double x) {
  return x > -0.5 && x <= 0.5 ? 1 : 0;
}

double triangle(double x) {
  return std::max(0.0, 1 - std::abs(x));
}

double hamming(double x) {
  x = std::abs(x);
  if (x == 0) return 1;
  if (x >= 1) return 0;
  x *= std::numbers::pi;
  return std::sin(x) / x * (0.54 + 0.46 * std::cos(x));
}

// Keys 1981, "Cubic convolution interpolation for digital image processing", with a = -1/2.
double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

double sinc(double x) {
  if (x == 0) return 1;
  x *= std::numbers::pi;
  return std::sin(x) / x;
}

double lanczos3(double x) {
  return x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0;
}

struct Kind {
  const char* name;
  double (*weight)(double x);  // nullptr: nearest
  double support;              // weight() is 0 from here on
};

// In the order of Filter.
constexpr std::array<Kind, 6> kKinds = {{
    {"nearest", nullptr, 0},
    {"box", box_filter, 0.5},
    {"bilinear", triangle, 1},
    {"hamming", hamming, 1},
    {"bicubic", cubic, 2},
    {"lanczos", lanczos3, 3},
}};

const Kind& kind_of(Filter filter) {
  return kKinds[static_cast<std::size_t>(filter)];
}

// One direction: `in` pixels become `out`, of which those from `first` are wanted.
struct Axis {
  std::int64_t in, out, first, count;
};

// Pillow's precompute_coeffs and normalize_coeffs_8bpc.
ResampleWeights weights_of(const Axis& axis, const Kind& kind) {
  const double scale = static_cast<double>(axis.in) / static_cast<double>(axis.out);
  const double widened = std::max(scale, 1.0), support = kind.support * widened;
  ResampleWeights w;
  w.taps = static_cast<std::int64_t>(std::ceil(support)) * 2 + 1;
  w.weights.resize(static_cast<std::size_t>(axis.count * w.taps));
  std::vector<double> exact(static_cast<std::size_t>(w.taps));
  for (std::int64_t i = 0; i < axis.count; ++i) {
    const double centre = (static_cast<double>(axis.first + i) + 0.5) * scale;
    const auto low = std::max<std::int64_t>(0, static_cast<std::int64_t>(centre - support + 0.5));
    const auto high = std::min(axis.in, static_cast<std::int64_t>(centre + support + 0.5));
    double sum = 0;
    for (std::int64_t t = 0; t < high - low; ++t)
      sum += exact[static_cast<std::size_t>(t)] =
          kind.weight((static_cast<double>(t + low) - centre + 0.5) * (1 / widened));
    std::int32_t* out = w.weights.data() + i * w.taps;
    for (std::int64_t t = 0; t < high - low; ++t) {
      const double share = sum != 0 ? exact[static_cast<std::size_t>(t)] / sum : 0;
      const double fixed = share * (1 << kResampleBits);
      out[t] = static_cast<std::int32_t>(fixed < 0 ? fixed - 0.5 : fixed + 0.5);
    }
    w.first.push_back(static_cast<std::int32_t>(low));
    w.count.push_back(static_cast<std::int32_t>(high - low));
  }
  return w;
}

// The part of a picture that is read: rows of pixels, some bytes apart.
struct View {
  const std::uint8_t* pixels;
  std::int64_t height, width, stride, channels;
  const std::uint8_t* row(std::int64_t y) const { return pixels + y * stride; }
};

// Places are added up, not multiplied, as Pillow does: the last bit of a sum decides between two pixels.
std::vector<std::int64_t> nearest_places(const Axis& axis) {
  const double step = static_cast<double>(axis.in) / static_cast<double>(axis.out);
  std::vector<std::int64_t> places;
  // Of a picture one pixel high and millions wide, nobody needs the last bit.
  constexpr std::int64_t kMostAdded = 1 << 20;
  const std::int64_t start = axis.first > kMostAdded ? axis.first : 0;
  double at = step * (static_cast<double>(start) + 0.5);
  for (std::int64_t i = start; i < axis.first + axis.count; ++i, at += step)
    if (i >= axis.first) places.push_back(std::min(axis.in - 1, static_cast<std::int64_t>(at)));
  return places;
}

void pick_nearest(const View& in, const Axis& down, const Axis& across, Image& out) {
  const auto columns = nearest_places(across);
  std::uint8_t* to = out.pixels.data();
  for (const std::int64_t y : nearest_places(down))
    for (const std::int64_t x : columns) to = std::copy_n(in.row(y) + x * in.channels, in.channels, to);
}

// Rows first ... first + count - 1 through the pass along rows; without one (the width stays), a plain view
// of them.
View rows_scaled(const View& in, const Axis& across, std::int64_t first, std::int64_t count, const Kind& kind,
                 const ResampleKernel& kernel, std::vector<std::uint8_t>& memory) {
  if (across.in == across.out)
    return {in.row(first) + across.first * in.channels, count, across.count, in.stride, in.channels};
  const ResampleWeights w = weights_of(across, kind);
  const std::int64_t row_bytes = across.count * in.channels;
  memory.resize(static_cast<std::size_t>(count * row_bytes));
  kernel.along_rows(in.row(first), in.stride, count - 1, in.channels, w, memory.data());
  // The kernel reads a byte beyond the row, which may be the end of the picture.
  std::vector<std::uint8_t> last(in.row(first + count - 1),
                                 in.row(first + count - 1) + in.width * in.channels);
  last.push_back(0);
  kernel.along_rows(last.data(), 0, 1, in.channels, w, memory.data() + (count - 1) * row_bytes);
  return {memory.data(), count, across.count, row_bytes, in.channels};
}

void scale_filtered(const View& in, const Axis& down, const Axis& across, const Kind& kind, Image& out) {
  const ResampleKernel kernel = resample_kernel(chosen_isa());
  std::vector<std::uint8_t> memory;
  const std::int64_t row_bytes = across.count * in.channels;
  if (down.in == down.out) {
    const View rows = rows_scaled(in, across, down.first, down.count, kind, kernel, memory);
    for (std::int64_t y = 0; y < down.count; ++y)
      std::copy_n(rows.row(y), row_bytes, out.pixels.data() + y * row_bytes);
    return;
  }
  ResampleWeights w = weights_of(down, kind);
  const std::int32_t first = w.first.front(), end = w.first.back() + w.count.back();
  const View rows = rows_scaled(in, across, first, end - first, kind, kernel, memory);
  for (auto& place : w.first) place -= first;
  kernel.along_columns(rows.pixels, rows.stride, row_bytes, w, out.pixels.data());
}

}  // namespace

std::vector<std::string> known_filters() {
  std::vector<std::string> names;
  for (const Kind& kind : kKinds) names.emplace_back(kind.name);
  return names;
}

std::string filter_name(Filter filter) {
  return kind_of(filter).name;
}

Filter filter_named(std::string_view name, const std::string& where) {
  for (std::size_t i = 0; i < kKinds.size(); ++i)
    if (name == kKinds[i].name) return static_cast<Filter>(i);
  fail(ExitCode::usage, "{}: got '{}', which is no way of scaling{}", where, printable(name),
       suggestion(name, known_filters()));
}

Image scale_part(const Image& image, const Scaling& s) {
  const auto inside = [](const PictureBox& box, std::int64_t height, std::int64_t width) {
    return box.top >= 0 && box.left >= 0 && box.height > 0 && box.width > 0 &&
           box.top + box.height <= height && box.left + box.width <= width;
  };
  MGD_ASSERT(inside(s.from, image.height, image.width) && inside(s.window, s.size.height, s.size.width));
  const std::int64_t c = image.channels;
  const View in{image.pixels.data() + (s.from.top * image.width + s.from.left) * c, s.from.height,
                s.from.width, image.width * c, c};
  Image out{s.window.height, s.window.width, c, {}};
  out.pixels.resize(static_cast<std::size_t>(out.height * out.width * c));
  const Axis down{s.from.height, s.size.height, s.window.top, s.window.height};
  const Axis across{s.from.width, s.size.width, s.window.left, s.window.width};
  const Kind& kind = kind_of(s.filter);
  kind.weight == nullptr ? pick_nearest(in, down, across, out) : scale_filtered(in, down, across, kind, out);
  return out;
}

Image resize_box(const Image& image, const PictureBox& box, PictureSize size, Filter filter) {
  return scale_part(
      image,
      {.from = box, .size = size, .window = {.height = size.height, .width = size.width}, .filter = filter});
}

Image resize(const Image& image, PictureSize size, Filter filter) {
  if (image.height == size.height && image.width == size.width) return image;
  return resize_box(image, {.height = image.height, .width = image.width}, size, filter);
}

}  // namespace mgd
