// color_jitter, in the formulas of torchvision's ColorJitter on 8-bit pictures.
#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>

#include "mgd/data/augment_steps.h"

namespace mgd {
namespace {

// Rec. 601 luma, truncated as torchvision does.
double grey_of(const std::uint8_t* rgb) {
  return std::floor(0.2989 * rgb[0] + 0.587 * rgb[1] + 0.114 * rgb[2]);
}

std::uint8_t blend(double value, double other, double factor) {
  return static_cast<std::uint8_t>(std::clamp(factor * value + (1 - factor) * other, 0.0, 255.0));
}

void adjust_brightness(Image& image, double factor) {
  for (auto& value : image.pixels) value = blend(value, 0, factor);
}

void adjust_contrast(Image& image, double factor) {
  double sum = 0;
  const auto step = static_cast<std::size_t>(image.channels);
  for (std::size_t i = 0; i < image.pixels.size(); i += step)
    sum += step == 3 ? grey_of(&image.pixels[i]) : image.pixels[i];
  const double mean = sum / static_cast<double>(image.height * image.width);
  for (auto& value : image.pixels) value = blend(value, mean, factor);
}

void adjust_saturation(Image& image, double factor) {
  if (image.channels != 3) return;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) {
    const double grey = grey_of(&image.pixels[i]);
    for (std::size_t c = 0; c < 3; ++c) image.pixels[i + c] = blend(image.pixels[i + c], grey, factor);
  }
}

// Turns the hue by `shift` turns. Value and chroma stay; only the place between them moves (HSV hexagon).
void turn_hue(std::uint8_t* rgb, double shift) {
  const double r = rgb[0], g = rgb[1], b = rgb[2];
  const double top = std::max({r, g, b}), chroma = top - std::min({r, g, b});
  if (chroma == 0) return;
  double sixths = 0;
  if (top == r) {
    sixths = (g - b) / chroma;
  } else if (top == g) {
    sixths = (b - r) / chroma + 2;
  } else {
    sixths = (r - g) / chroma + 4;
  }
  const double turned = sixths / 6 + shift;
  const double hue = 6 * (turned - std::floor(turned));
  constexpr std::array<double, 3> kOffset = {5, 3, 1};  // of red, green and blue on the hexagon
  for (std::size_t c = 0; c < 3; ++c) {
    const double k = std::fmod(kOffset[c] + hue, 6.0);
    const double value = top - chroma * std::clamp(std::min(k, 4 - k), 0.0, 1.0);
    // torchvision's way back from 0 ... 1 to bytes.
    rgb[c] = static_cast<std::uint8_t>(value / 255 * (256 - 1e-3));
  }
}

void adjust_hue(Image& image, double shift) {
  if (image.channels != 3) return;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) turn_hue(&image.pixels[i], shift);
}

struct ColorJitter final : Augmentation {
  double brightness = 0.4, contrast = 0.4, saturation = 0.4, hue = 0.1;
  void visit(OptionVisitor& v) {
    v.option("brightness", brightness, {.help = "factor 1 - b ... 1 + b, at least 0", .min = 0, .max = 10});
    v.option("contrast", contrast, {.help = "factor 1 - c ... 1 + c, at least 0", .min = 0, .max = 10});
    v.option("saturation", saturation, {.help = "factor 1 - s ... 1 + s, at least 0", .min = 0, .max = 10});
    v.option("hue", hue, {.help = "turn of the hue, -h ... h turns", .min = 0, .max = 0.5});
  }
  // The order of the four, then their factors; all are drawn, so one that is off moves no other.
  void apply(Image& image, Image&, const PictureAim&, RandomStream& random) const override {
    std::vector<int> order = {0, 1, 2, 3};
    random.shuffle(order);
    const auto factor = [&](double x) { return random.uniform(std::max(0.0, 1 - x), 1 + x); };
    const double b = factor(brightness), c = factor(contrast), s = factor(saturation);
    const double h = random.uniform(-hue, hue);
    for (const int which : order) {
      if (which == 0 && brightness > 0) adjust_brightness(image, b);
      if (which == 1 && contrast > 0) adjust_contrast(image, c);
      if (which == 2 && saturation > 0) adjust_saturation(image, s);
      if (which == 3 && hue > 0) adjust_hue(image, h);
    }
  }
};

}  // namespace

std::vector<OptionInfo> color_jitter_options() {
  return describe_options_of<ColorJitter>();
}

std::unique_ptr<Augmentation> make_color_jitter(const Node& entry, const std::string& where) {
  auto step = std::make_unique<ColorJitter>();
  Node long_form = without_short_form(entry, where, "brightness");
  if (entry.find("value") != nullptr) {
    const Node value = *long_form.find("brightness");
    long_form.set("contrast", value);
    long_form.set("saturation", value);
    step->hue = 0;
  }
  read_options(long_form, *step, where, {"name"});
  return step;
}

}  // namespace mgd
