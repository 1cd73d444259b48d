#include "mgd/data/augment.h"

#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/toy.h"

namespace mgd {
namespace {

Image picture(std::int64_t height, std::int64_t width, std::int64_t channels, std::uint32_t salt = 1) {
  Image image{height, width, channels, {}};
  for (std::int64_t i = 0; i < height * width * channels; ++i)
    image.pixels.push_back(
        static_cast<std::uint8_t>((static_cast<std::uint32_t>(i) * 2654435761U + salt * 40503U) >> 24));
  return image;
}

constexpr std::uint64_t kSeed = 5;
constexpr std::uint32_t kEpoch = 3;

Image apply(const std::string& yaml, Image image, std::int64_t sample, PictureSize target = {}) {
  const AugmentChain chain = chain_of(yaml);
  const auto keys = chain.keys(kSeed);
  Image spare;
  chain.apply(image, spare, {.keys = keys, .epoch = kEpoch, .sample = sample, .aim = {.size = target}});
  return image;
}

// The draws of step 0, for the oracle.
RandomStream draws(std::int64_t sample) {
  return {random_key(kSeed, "augment/0"), kEpoch, static_cast<std::uint64_t>(sample)};
}

TEST(Augment, CropIsAWindowOfThePaddedPicture) {
  const Image image = picture(5, 7, 3);
  std::set<std::pair<std::int64_t, std::int64_t>> offsets;
  for (std::int64_t sample = 0; sample < 200; ++sample) {
    const Image out = apply("[crop: {padding: 2, fill: 9}]", image, sample);
    RandomStream random = draws(sample);
    const auto dy = static_cast<std::int64_t>(random.below(5)) - 2,
               dx = static_cast<std::int64_t>(random.below(5)) - 2;
    offsets.insert({dy, dx});
    for (std::int64_t y = 0; y < 5; ++y)
      for (std::int64_t x = 0; x < 7; ++x)
        for (std::int64_t c = 0; c < 3; ++c) {
          const bool inside = y + dy >= 0 && y + dy < 5 && x + dx >= 0 && x + dx < 7;
          ASSERT_EQ(out.at(y, x, c), inside ? image.at(y + dy, x + dx, c) : 9) << sample;
        }
  }
  EXPECT_EQ(offsets.size(), 25U);
}

TEST(Augment, CropMayBeWiderThanThePicture) {
  for (std::int64_t sample = 0; sample < 50; ++sample)
    EXPECT_EQ(apply("[crop: 9]", picture(3, 2, 1), sample).pixels.size(), 6U);
}

TEST(Augment, FlipMirrorsWithItsProbability) {
  for (const std::int64_t width : {6, 7}) {
    const Image image = picture(4, width, 3);
    Image mirror = image;
    for (std::int64_t y = 0; y < 4; ++y)
      for (std::int64_t x = 0; x < width; ++x)
        for (std::int64_t c = 0; c < 3; ++c)
          mirror.pixels[static_cast<std::size_t>((y * width + x) * 3 + c)] = image.at(y, width - 1 - x, c);
    int flipped = 0;
    for (std::int64_t sample = 0; sample < 1000; ++sample) {
      const Image out = apply("[flip: 0.3]", image, sample);
      flipped += out.pixels == mirror.pixels;
      ASSERT_TRUE(out.pixels == mirror.pixels || out.pixels == image.pixels);
    }
    EXPECT_NEAR(flipped, 300, 60);  // 4 sigma
    EXPECT_EQ(apply("[flip: 1]", image, 0).pixels, mirror.pixels);
    EXPECT_EQ(apply("[flip: {p: 0}]", image, 0).pixels, image.pixels);
  }
}

TEST(Augment, CutoutBlacksOneSquare) {
  Image image = picture(9, 8, 3);
  for (auto& v : image.pixels) v = static_cast<std::uint8_t>(v | 1);
  for (std::int64_t sample = 0; sample < 100; ++sample) {
    const Image out = apply("[cutout: 3]", image, sample);
    RandomStream random = draws(sample);
    const auto cy = static_cast<std::int64_t>(random.below(9)),
               cx = static_cast<std::int64_t>(random.below(8));
    for (std::int64_t y = 0; y < 9; ++y)
      for (std::int64_t x = 0; x < 8; ++x) {
        const bool hidden = std::abs(y - cy) <= 1 && std::abs(x - cx) <= 1;
        for (std::int64_t c = 0; c < 3; ++c) ASSERT_EQ(out.at(y, x, c), hidden ? 0 : image.at(y, x, c));
      }
  }
}

TEST(Augment, RandomResizedCropKeepsToItsRangesAndSize) {
  // On a ramp in x and y the mean of the result tells where the box was, its slope how wide.
  Image ramp{100, 100, 3, {}};
  for (int y = 0; y < 100; ++y)
    for (int x = 0; x < 100; ++x)
      for (const int v : {x * 2, y * 2, 0}) ramp.pixels.push_back(static_cast<std::uint8_t>(v));
  double smallest = 1, largest = 0;
  for (std::int64_t sample = 0; sample < 300; ++sample) {
    const Image out = apply("[random_resized_crop: 0.25]", ramp, sample, {.height = 20, .width = 20});
    ASSERT_EQ(out.height, 20);
    ASSERT_EQ(out.width, 20);
    const double width = (out.at(10, 14, 0) - out.at(10, 5, 0)) / 2.0 / 9 * 20;
    const double height = (out.at(14, 10, 1) - out.at(5, 10, 1)) / 2.0 / 9 * 20;
    smallest = std::min(smallest, width * height / 1e4);
    largest = std::max(largest, width * height / 1e4);
    EXPECT_LT(width / height, 4.0 / 3 * 1.15);
    EXPECT_GT(width / height, 3.0 / 4 / 1.15);
  }
  EXPECT_NEAR(smallest, 0.25, 0.06);
  EXPECT_NEAR(largest, 1, 0.12);
}

TEST(Augment, RandomResizedCropFallsBackToTheMiddle) {
  Image wide{2, 200, 1, {}};  // no box of ratio 3/4 ... 4/3 and 90 % of the area exists
  for (int i = 0; i < 400; ++i) wide.pixels.push_back(static_cast<std::uint8_t>(i % 200));
  const Image out = apply("[random_resized_crop: 0.9]", wide, 1, {.height = 2, .width = 3});
  EXPECT_EQ(out.pixels, (std::vector<std::uint8_t>{98, 99, 100, 98, 99, 100}))
      << "round(2 * 4/3) = 3 columns";
}

double luma(const std::uint8_t* p) {
  return std::floor(0.2989 * p[0] + 0.587 * p[1] + 0.114 * p[2]);
}

struct Factors {
  double brightness, contrast, saturation, hue;
};
Factors factors(std::int64_t sample, double b, double c, double s, double h) {
  RandomStream random = draws(sample);
  std::vector<int> order{0, 1, 2, 3};
  random.shuffle(order);
  const auto one = [&](double x) {
    return std::max(0.0, 1 - x) + (1 + x - std::max(0.0, 1 - x)) * random.uniform();
  };
  Factors f{};
  f.brightness = one(b), f.contrast = one(c), f.saturation = one(s);
  f.hue = -h + 2 * h * random.uniform();
  return f;
}

TEST(Augment, ColorJitterFormulas) {
  const Image image = picture(6, 5, 3);
  const auto near = [](double got, double wanted) {
    return std::abs(got - std::clamp(wanted, 0.0, 255.0)) <= 1.0;
  };
  double mean = 0;
  for (std::size_t i = 0; i < image.pixels.size(); i += 3) mean += luma(&image.pixels[i]) / 30;
  for (std::int64_t sample = 0; sample < 50; ++sample) {
    const Image bright =
        apply("[color_jitter: {brightness: 0.5, contrast: 0, saturation: 0, hue: 0}]", image, sample);
    const Image contrast =
        apply("[color_jitter: {brightness: 0, contrast: 0.7, saturation: 0, hue: 0}]", image, sample);
    const Image colour =
        apply("[color_jitter: {brightness: 0, contrast: 0, saturation: 2, hue: 0}]", image, sample);
    for (std::size_t i = 0; i < image.pixels.size(); ++i) {
      const double v = image.pixels[i], grey = luma(&image.pixels[i - i % 3]);
      const double b = factors(sample, 0.5, 0, 0, 0).brightness, c = factors(sample, 0, 0.7, 0, 0).contrast,
                   s = factors(sample, 0, 0, 2, 0).saturation;
      EXPECT_TRUE(near(bright.pixels[i], b * v));
      EXPECT_TRUE(near(contrast.pixels[i], mean + c * (v - mean)));
      EXPECT_TRUE(near(colour.pixels[i], grey + s * (v - grey)));
    }
  }
}

// The hexagon of HSV by the textbook's table of six sectors, from hue, saturation and value.
std::array<double, 3> from_hsv(double hue, double saturation, double value) {
  const double sixth = hue * 6, fraction = sixth - std::floor(sixth);
  const double p = value * (1 - saturation), q = value * (1 - saturation * fraction),
               t = value * (1 - saturation * (1 - fraction));
  switch (static_cast<int>(sixth) % 6) {
    case 0:
      return {value, t, p};
    case 1:
      return {q, value, p};
    case 2:
      return {p, value, t};
    case 3:
      return {p, q, value};
    case 4:
      return {t, p, value};
    default:
      return {value, p, q};
  }
}

TEST(Augment, ColorJitterTurnsTheHue) {
  for (std::int64_t sample = 0; sample < 60; ++sample) {
    const double hue = static_cast<double>(sample) / 60, shift = factors(sample, 0, 0, 0, 0.5).hue;
    const auto before = from_hsv(hue, 0.8, 240);
    const double turned = hue + shift;
    const auto after = from_hsv(turned - std::floor(turned), 0.8, 240);
    Image image{1, 2, 3, {}};
    for (const double v : before) image.pixels.push_back(static_cast<std::uint8_t>(std::lround(v)));
    image.pixels.insert(image.pixels.end(), {77, 77, 77});  // grey has no hue
    const Image out =
        apply("[color_jitter: {brightness: 0, contrast: 0, saturation: 0, hue: 0.5}]", image, sample);
    for (std::size_t c = 0; c < 3; ++c) {
      EXPECT_NEAR(out.pixels[c], after[c], 2.5) << hue << " + " << shift;
      EXPECT_EQ(out.pixels[3 + c], 77);
    }
  }
}

TEST(Augment, ColorJitterShortFormAndGrey) {
  const Image image = picture(4, 4, 1);
  EXPECT_EQ(apply("[color_jitter: {brightness: 0, contrast: 0, saturation: 0.9, hue: 0.5}]", image, 1).pixels,
            image.pixels);
  const Image colour = picture(4, 4, 3);
  EXPECT_EQ(
      apply("[color_jitter: 0.3]", colour, 7).pixels,
      apply("[color_jitter: {brightness: 0.3, contrast: 0.3, saturation: 0.3, hue: 0}]", colour, 7).pixels);
}

TEST(Augment, ErrorsNameThePlaceAndTheNearestName) {
  const auto expect = [](const std::string& yaml, const std::vector<std::string>& parts) {
    expect_error([&] { chain_of(yaml); }, ExitCode::usage, parts);
  };
  expect("[flip, crap: 4]", {"recipe.yaml:1:", "data.augment.1", "'crap'", "'crop'"});
  expect("[crop: {pading: 4}]", {"'pading'", "'padding'"});
  expect("[crop: -1]", {"data.augment.0", "got -1", "0 ... 1024"});
  expect("[flip: 2]", {"got 2", "0 ... 1"});
  expect("[flip: {p: 0.5, value: 0.5}]", {"'value'", "'p'"});
  expect("[mixup, mixup]", {"mixup is there twice"});
  expect("[mixup: 0]", {"alpha", "> 0"});
  expect("[random_resized_crop: {min_scale: 0.9, max_scale: 0.5}]", {"0.9 ... 0.5", "smaller number first"});
  expect("[color_jitter: {hue: 0.7}]", {"hue", "got 0.7"});
}

TEST(Augment, ChainIsAFunctionOfSeedEpochAndSample) {
  const AugmentChain chain = chain_of("[crop, flip, cutout]");
  const auto keys = chain.keys(1), others = chain.keys(2);
  const auto run = [&](const std::vector<PhiloxKey>& k, std::uint32_t epoch, std::int64_t sample) {
    Image image = picture(12, 12, 3), spare;
    chain.apply(image, spare, {.keys = k, .epoch = epoch, .sample = sample});
    return image.pixels;
  };
  EXPECT_EQ(run(keys, 1, 1), run(keys, 1, 1));
  EXPECT_NE(run(keys, 1, 1), run(keys, 2, 1));
  EXPECT_NE(run(keys, 1, 1), run(keys, 1, 2));
  EXPECT_NE(run(keys, 1, 1), run(others, 1, 1));
}

TEST(Resize, IsWithinOneLevelOfPillow) {
  std::ifstream file(MGD_SOURCE_DIR
                     "/tests/data/fixtures"
                     "/resize.json");
  for (const auto& one : nlohmann::json::parse(file)) {
    const Image image{one["height"], one["width"], one["channels"],
                      one["pixels"].get<std::vector<std::uint8_t>>()};
    const Image out = resize(image, {.height = one["new_height"], .width = one["new_width"]});
    const auto wanted = one["wanted"].get<std::vector<std::uint8_t>>();
    ASSERT_EQ(out.pixels.size(), wanted.size());
    for (std::size_t i = 0; i < wanted.size(); ++i) EXPECT_NEAR(out.pixels[i], wanted[i], 1) << i;
  }
}

}  // namespace
}  // namespace mgd
