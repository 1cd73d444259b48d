// Steps that move pixels: crop, flip, cutout, random_resized_crop.
#include <algorithm>
#include <cmath>

#include "mgd/data/augment_steps.h"

namespace mgd {
namespace {

// A place that moves with the size at which a picture is kept: draw_below would jump.
std::int64_t draw_share(RandomStream& random, std::int64_t bound) {
  const auto place = static_cast<std::int64_t>(random.uniform() * static_cast<double>(bound));
  return std::min(place, bound - 1);
}

std::int64_t draw_below(RandomStream& random, std::int64_t bound) {
  return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(bound)));
}

struct Crop final : Augmentation {
  std::int64_t padding = 4, fill = 0;
  void visit(OptionVisitor& v) {
    v.option("padding", padding,
             {.help = "pixels added on each side before a random crop back", .min = 0, .max = 1024});
    v.option("fill", fill, {.help = "grey level of the added pixels", .min = 0, .max = 255});
  }
  void apply(Image& image, Image& spare, const PictureAim&, RandomStream& random) const override {
    const std::int64_t dy = draw_below(random, 2 * padding + 1) - padding;
    const std::int64_t dx = draw_below(random, 2 * padding + 1) - padding;
    spare.height = image.height, spare.width = image.width, spare.channels = image.channels;
    spare.pixels.assign(image.pixels.size(), static_cast<std::uint8_t>(fill));
    const std::int64_t x0 = std::max<std::int64_t>(0, -dx), x1 = std::min(image.width, image.width - dx);
    for (std::int64_t y = std::max<std::int64_t>(0, -dy); y < std::min(image.height, image.height - dy);
         ++y) {
      if (x0 >= x1) break;
      std::copy_n(image.pixels.begin() + ((y + dy) * image.width + x0 + dx) * image.channels,
                  (x1 - x0) * image.channels, spare.pixels.begin() + (y * image.width + x0) * image.channels);
    }
    std::swap(image, spare);
  }
};

struct Flip final : Augmentation {
  double p = 0.5;
  void visit(OptionVisitor& v) {
    v.option("p", p, {.help = "probability of a left-right flip", .min = 0, .max = 1});
  }
  void apply(Image& image, Image&, const PictureAim&, RandomStream& random) const override {
    if (random.uniform() >= p) return;
    const auto c = image.channels;
    for (std::int64_t y = 0; y < image.height; ++y) {
      std::uint8_t* left = image.pixels.data() + y * image.width * c;
      std::uint8_t* right = left + (image.width - 1) * c;
      for (; left < right; left += c, right -= c)
        for (std::int64_t i = 0; i < c; ++i) std::swap(left[i], right[i]);
    }
  }
};

struct Cutout final : Augmentation {
  std::int64_t size = 8;
  void visit(OptionVisitor& v) {
    v.option("size", size,
             {.help = "side of the square that is blacked out, in pixels", .min = 1, .max = 4096});
  }
  // DeVries and Taylor 2017: the centre is uniform, so the square may be cut by the border.
  void apply(Image& image, Image&, const PictureAim&, RandomStream& random) const override {
    const std::int64_t top = draw_below(random, image.height) - size / 2;
    const std::int64_t left = draw_below(random, image.width) - size / 2;
    const std::int64_t x0 = std::max<std::int64_t>(0, left), x1 = std::min(image.width, left + size);
    for (std::int64_t y = std::max<std::int64_t>(0, top); y < std::min(image.height, top + size); ++y)
      std::fill_n(image.pixels.begin() + (y * image.width + x0) * image.channels, (x1 - x0) * image.channels,
                  std::uint8_t{0});
  }
};

// Szegedy et al. 2015, "Going Deeper with Convolutions", section 6, in the form of torchvision's
// RandomResizedCrop: ten tries, then the largest box in the middle whose ratio is allowed.
struct RandomResizedCrop final : Augmentation {
  double min_scale = 0.08, max_scale = 1, min_ratio = 3.0 / 4, max_ratio = 4.0 / 3;
  void visit(OptionVisitor& v) {
    v.option("min_scale", min_scale,
             {.help = "smallest share of the area", .min = 0, .max = 1, .min_open = true});
    v.option("max_scale", max_scale,
             {.help = "largest share of the area", .min = 0, .max = 1, .min_open = true});
    v.option("min_ratio", min_ratio, {.help = "smallest width / height", .min = 0.01, .max = 100});
    v.option("max_ratio", max_ratio, {.help = "largest width / height", .min = 0.01, .max = 100});
  }
  double shortest_cut() const override { return std::sqrt(min_scale * std::min(min_ratio, 1 / max_ratio)); }

  void apply(Image& image, Image&, const PictureAim& aim, RandomStream& random) const override {
    const auto height = static_cast<double>(image.height), width = static_cast<double>(image.width);
    const auto whole = [](double value) { return static_cast<std::int64_t>(std::nearbyint(value)); };
    for (int tries = 0; tries < 10; ++tries) {
      const double area = height * width * random.uniform(min_scale, max_scale);
      const double ratio = std::exp(random.uniform(std::log(min_ratio), std::log(max_ratio)));
      const double box_height = std::sqrt(area / ratio), box_width = std::sqrt(area * ratio);
      // Before rounding, so that a picture kept at another size has its box at the same place.
      if (box_height > height || box_width > width) continue;
      PictureBox box{.height = std::clamp<std::int64_t>(whole(box_height), 1, image.height),
                     .width = std::clamp<std::int64_t>(whole(box_width), 1, image.width)};
      box.top = draw_share(random, image.height - box.height + 1);
      box.left = draw_share(random, image.width - box.width + 1);
      image = resize_box(image, box, aim.size, aim.filter);
      return;
    }
    PictureBox box{.height = image.height, .width = image.width};
    if (width / height < min_ratio)
      box.height = std::clamp<std::int64_t>(whole(width / min_ratio), 1, image.height);
    if (width / height > max_ratio)
      box.width = std::clamp<std::int64_t>(whole(height * max_ratio), 1, image.width);
    box.top = (image.height - box.height) / 2;
    box.left = (image.width - box.width) / 2;
    image = resize_box(image, box, aim.size, aim.filter);
  }
};

template <class S>
std::unique_ptr<Augmentation> make(const Node& entry, const std::string& where, const std::string& first) {
  auto step = std::make_unique<S>();
  read_options(without_short_form(entry, where, first), *step, where, {"name"});
  return step;
}

}  // namespace

std::vector<OptionInfo> crop_options() {
  return describe_options_of<Crop>();
}

std::unique_ptr<Augmentation> make_crop(const Node& entry, const std::string& where) {
  return make<Crop>(entry, where, "padding");
}

std::vector<OptionInfo> flip_options() {
  return describe_options_of<Flip>();
}

std::unique_ptr<Augmentation> make_flip(const Node& entry, const std::string& where) {
  return make<Flip>(entry, where, "p");
}

std::vector<OptionInfo> cutout_options() {
  return describe_options_of<Cutout>();
}

std::unique_ptr<Augmentation> make_cutout(const Node& entry, const std::string& where) {
  return make<Cutout>(entry, where, "size");
}

std::vector<OptionInfo> random_resized_crop_options() {
  return describe_options_of<RandomResizedCrop>();
}

std::unique_ptr<Augmentation> make_random_resized_crop(const Node& entry, const std::string& where) {
  auto step = std::make_unique<RandomResizedCrop>();
  read_options(without_short_form(entry, where, "min_scale"), *step, where, {"name"});
  if (step->min_scale > step->max_scale || step->min_ratio > step->max_ratio)
    fail(ExitCode::usage, "{}{}: got scale {} ... {} and ratio {} ... {}, expected the smaller number first",
         place_of(entry.origin), where, step->min_scale, step->max_scale, step->min_ratio, step->max_ratio);
  return step;
}

}  // namespace mgd
