// WebP, TIFF, GIF and BMP: what they hold is compared with Pillow in image_test.cpp; here is what goes wrong.
#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "mgd/core/error.h"
#include "mgd/format/picture_codec.h"

namespace mgd {
namespace {

using testing::HasSubstr;

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/format/fixtures") + "/image/" + name,
                     std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string error_of(const std::string& bytes, const ImageLimits& limits = {}) {
  try {
    decode_image(bytes, 3, limits);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    return error.what();
  }
  return "no error";
}

std::string little(std::uint64_t value, int count) {
  std::string out;
  for (int i = 0; i < count; ++i) out += static_cast<char>(static_cast<std::uint8_t>(value >> 8 * i));
  return out;
}

struct Entry {
  std::uint16_t tag, type;
  std::uint32_t count, value;
};
constexpr std::uint16_t kShort = 3, kLong = 4;

std::string tiff(const std::vector<Entry>& entries, std::size_t claimed_entries = 0) {
  std::string out = std::string("II*\0", 4) + little(8, 4) +
                    little(claimed_entries > 0 ? claimed_entries : entries.size(), 2);
  for (const Entry& e : entries)
    out += little(e.tag, 2) + little(e.type, 2) + little(e.count, 4) + little(e.value, 4);
  return out + little(0, 4) + std::string(64, 'x');
}

std::vector<Entry> grey_tiff(std::uint32_t width, std::uint32_t height) {
  return {{256, kLong, 1, width}, {257, kLong, 1, height}, {258, kShort, 1, 8},
          {259, kShort, 1, 1},    {262, kShort, 1, 1},     {273, kLong, 1, 8},
          {277, kShort, 1, 1},    {278, kLong, 1, height}, {279, kLong, 1, 64}};
}

// 65,535 entries that libtiff does not know, all of them there.
std::string huge_directory() {
  std::vector<Entry> entries = grey_tiff(8, 8);
  for (std::uint32_t i = 0; entries.size() < 65'535; ++i)
    entries.push_back({static_cast<std::uint16_t>(40'000 + i % 25'000), kLong, 1, i});
  return tiff(entries);
}

// The same picture with other sides in its header.
std::string with_webp_side(std::string webp, std::uint32_t side) {
  const std::size_t lossless = webp.find("VP8L"), extended = webp.find("VP8X"), lossy = webp.find("VP8 ");
  if (extended != webp.npos) webp.replace(extended + 12, 6, little(side - 1, 3) + little(side - 1, 3));
  if (lossless != webp.npos)
    webp.replace(lossless + 9, 4, little((side - 1) | std::uint64_t{side - 1} << 14 | 1ULL << 28, 4));
  if (lossy != webp.npos) webp.replace(lossy + 14, 4, little(side, 2) + little(side, 2));
  return webp;
}

std::string with_gif_side(std::string gif, std::uint32_t side) {
  gif.replace(6, 4, little(side, 2) + little(side, 2));
  return gif;
}

std::string with_bmp_side(std::string bmp, std::uint32_t side) {
  bmp.replace(18, 8, little(side, 4) + little(side, 4));
  return bmp;
}

TEST(PictureFormats, HeadersAreReadWithoutPixels) {
  int seen = 0;
  for (const auto& entry :
       std::filesystem::directory_iterator(std::string(MGD_SOURCE_DIR "/tests/format/fixtures") + "/image")) {
    const std::string name = entry.path().filename().string(), ending = entry.path().extension().string();
    if (ending == ".rgb" || ending == ".grey" || ending == ".bad") continue;
    const auto header = read_image_header(fixture(name));
    ASSERT_TRUE(header) << name;
    const Image image = decode_image(fixture(name), 3);
    EXPECT_EQ(header->height * header->width, image.height * image.width) << name;
    if (header->channels == 1) {
      for (std::size_t i = 0; i < image.pixels.size(); i += 3)
        EXPECT_TRUE(image.pixels[i] == image.pixels[i + 1] && image.pixels[i] == image.pixels[i + 2]) << name;
    }
    ++seen;
  }
  EXPECT_GT(seen, 45);
  for (const char* grey :
       {"grey_scale.jpg", "luma.png", "one_bit.png", "packbits_tif.tif", "fax_tif.tif", "grey_scale_bmp.bmp"})
    EXPECT_EQ(read_image_header(fixture(grey))->channels, 1) << grey;
  for (const char* colour :
       {"colour.jpg", "plain.png", "palette.png", "plain_tif.tif", "lossy.webp", "plain_bmp.bmp"})
    EXPECT_EQ(read_image_header(fixture(colour))->channels, 3) << colour;
  EXPECT_FALSE(read_image_header("hello, this is text"));
  EXPECT_FALSE(read_image_header(fixture("colour.jpg").substr(0, 30)));
}

TEST(PictureFormats, ConversionsOfLibtiffAreNear) {
  const Image image = decode_image(fixture("ycc_tif.tif"), 3);
  const std::string expected = fixture("ycc_tif.rgb");
  ASSERT_EQ(image.pixels.size(), expected.size());
  for (std::size_t i = 0; i < expected.size(); ++i)
    EXPECT_NEAR(image.pixels[i], static_cast<std::uint8_t>(expected[i]), 2) << i;
}

TEST(PictureFormats, AFrameOnALargerScreen) {
  const Image image = decode_image(fixture("bare.gif"), 3);
  EXPECT_EQ(image.height, 15);
  EXPECT_EQ(image.width, 25);
  EXPECT_EQ(std::string(image.pixels.begin(), image.pixels.end()), fixture("bare.rgb"));
}

TEST(PictureFormats, EveryTruncationIsAnErrorOrComplete) {
  for (const char* name : {"lossy.webp", "lossless.webp", "deflate_tif.tif", "lzw_tif.tif", "plain_tif.tif",
                           "palette_gif.gif", "plain_bmp.bmp", "five_six_five.bmp", "runs_of_eight.bmp"}) {
    const std::string bytes = fixture(name);
    for (std::size_t size = 0; size + 8 < bytes.size(); ++size)
      if (error_of(bytes.substr(0, size)) == "no error") {
        EXPECT_EQ(decode_image(bytes.substr(0, size), 3).pixels, decode_image(bytes, 3).pixels)
            << name << " " << size;
      }
  }
}

TEST(PictureFormats, TheLimitIsNamedWithItsKey) {
  const ImageLimits small{.max_pixels = 200};
  for (const char* name :
       {"colour.jpg", "plain.png", "lossy.webp", "plain_tif.tif", "palette_gif.gif", "plain_bmp.bmp"})
    EXPECT_THAT(error_of(fixture(name), small), HasSubstr("data.max_megapixels=")) << name;
  EXPECT_THAT(error_of(fixture("progressive.jpg"), {.max_pixels = 3 * 13 * 22 - 1}),
              HasSubstr("counted 3 times"));
  EXPECT_EQ(error_of(fixture("progressive.jpg"), {.max_pixels = 3 * 13 * 22}), "no error");
}

TEST(PictureFormats, WhatNobodyReadsIsNamed) {
  EXPECT_THAT(error_of(std::string("\0\0\0\x18"
                                   "ftypheic\0\0\0\0",
                                   16)),
              HasSubstr("HEIF"));
  EXPECT_THAT(error_of(std::string("\0\0\0\x1c"
                                   "ftypavif\0\0\0\0",
                                   16)),
              HasSubstr("AVIF"));
  EXPECT_THAT(error_of("8BPS\0\1"), HasSubstr("Photoshop"));
  EXPECT_THAT(error_of("<html>"), HasSubstr("starts with '<html>'"));
  auto floats = grey_tiff(4, 4);
  floats[2].value = 32;
  floats.push_back({339, kShort, 1, 3});
  EXPECT_THAT(error_of(tiff(floats)), HasSubstr("32 bits"));
  auto bands = grey_tiff(2, 2);
  bands[6].value = 13;
  EXPECT_THAT(error_of(tiff(bands)), HasSubstr("13 samples"));
  std::string bmp = fixture("plain_bmp.bmp");
  bmp[30] = 4;  // a JPEG inside
  EXPECT_THAT(error_of(bmp), HasSubstr("compression 4"));
}

TEST(PictureFormats, HostileDirectoriesAndTiles) {
  EXPECT_THAT(error_of(huge_directory()), HasSubstr("65535 entries"));
  EXPECT_THAT(error_of(tiff(grey_tiff(8, 8), 600)), HasSubstr("600 entries"));
  EXPECT_THAT(error_of(tiff(grey_tiff(60'000, 60'000))), HasSubstr("60000 x 60000"));
  auto tiles = grey_tiff(16, 16);
  tiles.push_back({322, kLong, 1, 0x40000000});
  tiles.push_back({323, kLong, 1, 0x40000000});
  tiles.push_back({324, kLong, 1, 8});
  tiles.push_back({325, kLong, 1, 64});
  EXPECT_NE(error_of(tiff(tiles)), "no error");
  auto strips = grey_tiff(1, 60'000'000);
  strips[7].value = 1;  // a strip a row, and a table of offsets that is not there
  strips[5].count = 60'000'000;
  EXPECT_NE(error_of(tiff(strips)), "no error");
  EXPECT_NE(error_of(std::string("II*\0\xff\xff\xff\xff", 8)), "no error");
  EXPECT_NE(error_of("MM\0*"), "no error");
}

// Peak of a process that does nothing but decode one file, in MiB; it is a copy of this one.
long peak_mib(const std::string& bytes) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      decode_image(bytes, 3);
    } catch (const Error&) {
      _exit(1);
    }
    _exit(0);
  }
  rusage usage{};
  int status = 0;
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 1) << "it was not refused";
  return usage.ru_maxrss / 1024;
}

TEST(PictureFormats, BombsAreRefusedWithin256MiB) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a sanitizer's own memory would be measured";
#endif
  auto strips = grey_tiff(1, 60'000'000);
  strips[7].value = 1;
  strips[5].count = 60'000'000;
  const std::vector<std::pair<const char*, std::string>> bombs = {
      {"WebP, lossless", with_webp_side(fixture("lossless.webp"), 16'383)},
      {"WebP, lossy", with_webp_side(fixture("lossy.webp"), 16'383)},
      {"WebP, under the limit", with_webp_side(fixture("lossless.webp"), 5'600)},
      {"TIFF, directory", huge_directory()},
      {"TIFF, sides", tiff(grey_tiff(60'000, 60'000))},
      {"TIFF, under the limit", tiff(grey_tiff(7'999, 7'999))},
      {"TIFF, strips", tiff(strips)},
      {"GIF", with_gif_side(fixture("palette_gif.gif"), 65'535)},
      {"BMP", with_bmp_side(fixture("plain_bmp.bmp"), 65'535)},
      {"BMP, runs", with_bmp_side(fixture("runs_of_eight.bmp"), 7'999)}};
  for (const auto& [name, bytes] : bombs) EXPECT_LT(peak_mib(bytes), 256) << name;
}

}  // namespace
}  // namespace mgd
