#include "mgd/format/image.h"

#include <gmock/gmock.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>

#include <fstream>
#include <iterator>

#include "mgd/core/error.h"

namespace mgd {
namespace {

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/format/fixtures") + "/image/" + name,
                     std::ios::binary);
  EXPECT_TRUE(file) << name;
  return {std::istreambuf_iterator<char>(file), {}};
}

std::string pixels_of(const Image& image) {
  return {image.pixels.begin(), image.pixels.end()};
}

std::string error_of(const std::string& bytes) {
  try {
    decode_image(bytes, 3);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::bad_data);
    return error.what();
  }
  return "no error";
}

class LikePillow : public testing::TestWithParam<const char*> {};

TEST_P(LikePillow, Pixels) {
  const std::string name = GetParam(), stem = name.substr(0, name.find('.'));
  const Image rgb = decode_image(fixture(name), 3), grey = decode_image(fixture(name), 1);
  EXPECT_EQ(rgb.height * rgb.width, 13 * 22);
  EXPECT_EQ(pixels_of(rgb), fixture(stem + ".rgb"));
  EXPECT_EQ(pixels_of(grey), fixture(stem + ".grey"));
}

INSTANTIATE_TEST_SUITE_P(Image, LikePillow,
                         testing::Values("colour.jpg", "full_chroma.jpg", "half_chroma.jpg", "grey_scale.jpg",
                                         "progressive.jpg", "cmyk.jpg", "exif1.jpg", "exif2.jpg", "exif3.jpg",
                                         "exif4.jpg", "exif5.jpg", "exif6.jpg", "exif7.jpg", "exif8.jpg",
                                         "plain.png", "luma.png", "one_bit.png", "palette.png", "alpha.png",
                                         "grey_alpha.png", "sixteen.png"));

INSTANTIATE_TEST_SUITE_P(OtherFormats, LikePillow,
                         testing::Values("lossy.webp", "lossless.webp", "lossy_alpha.webp", "turned.webp",
                                         "animated.webp", "plain_tif.tif", "lzw_tif.tif", "deflate_tif.tif",
                                         "packbits_tif.tif", "jpeg_tif.tif", "fax_tif.tif", "palette_tif.tif",
                                         "ink_tif.tif", "grey_alpha_tif.tif", "turned_tif.tif", "big_tif.tif",
                                         "palette_gif.gif", "grey_scale_gif.gif", "interlaced.gif",
                                         "animated_gif.gif", "grey_scale_bmp.bmp", "plain_bmp.bmp",
                                         "palette_bmp.bmp", "one_bit_bmp.bmp", "alpha_bmp.bmp",
                                         "five_six_five.bmp", "five_five_five.bmp", "top_down.bmp",
                                         "runs_of_eight.bmp", "runs_of_four.bmp"));

TEST(Image, OrientationExchangesSides) {
  const Image image = decode_image(fixture("exif6.jpg"), 3);
  EXPECT_EQ(image.height, 22);
  EXPECT_EQ(image.width, 13);
}

TEST(Image, NamesWhatIsWrong) {
  EXPECT_EQ(error_of(""), "empty file, expected a JPEG, PNG, WebP, TIFF, GIF or BMP");
  EXPECT_EQ(error_of("hello\nworld"), "no JPEG, PNG, WebP, TIFF, GIF or BMP: starts with 'hello.world'");
  EXPECT_THAT(error_of(fixture("truncated.bad")), testing::HasSubstr("JPEG"));
  EXPECT_EQ(error_of(fixture("truncated_png.bad")), "truncated PNG");
}

TEST(Image, BombsAreRefused) {
  EXPECT_THAT(error_of(fixture("huge_jpeg.bad")), testing::HasSubstr("65500 x 65500"));
  EXPECT_THAT(error_of(fixture("huge_png.bad")), testing::HasSubstr("65500 x 65500"));
  EXPECT_THAT(error_of(fixture("scans.bad")), testing::HasSubstr("more than 100 scans"));
  // The pixel is there; what follows it must not be unpacked, whether the decoder then complains or not.
  for (const char* name : {"bomb_idat.bad", "bomb_text.bad"}) {
    try {
      EXPECT_EQ(decode_image(fixture(name), 3).pixels.size(), 3u);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::bad_data);
    }
  }
}

std::string with_size(std::string jpeg, int side) {
  std::size_t frame = jpeg.find("\xff\xc0");  // baseline
  if (frame == std::string::npos) frame = jpeg.find("\xff\xc2");
  for (const std::size_t at : {frame + 5, frame + 7}) {
    jpeg[at] = static_cast<char>(side >> 8);
    jpeg[at + 1] = static_cast<char>(side & 0xff);
  }
  return jpeg;
}

std::string with_png_size(std::string png, int side) {
  for (const std::size_t at : {18U, 22U}) {
    png[at] = static_cast<char>(side >> 8);
    png[at + 1] = static_cast<char>(side & 0xff);
  }
  const auto crc = static_cast<std::uint32_t>(crc32(0, reinterpret_cast<const Bytef*>(png.data()) + 12, 17));
  for (std::size_t i = 0; i < 4; ++i) png[29 + i] = static_cast<char>(crc >> (24 - 8 * i));
  return png;
}

// Under the limit of pixels, but a file of a kilobyte cannot hold them.
TEST(Image, APromiseTheFileCannotKeepIsRefused) {
  EXPECT_THAT(error_of(with_size(fixture("colour.jpg"), 7999)), testing::HasSubstr("7999 x 7999 pixels in"));
  EXPECT_THAT(error_of(with_size(fixture("progressive.jpg"), 4000)),
              testing::HasSubstr("4000 x 4000 pixels in"));
  EXPECT_THAT(
      error_of(with_size(fixture("progressive.jpg"), 7999)),
      testing::HasSubstr("progressive JPEG of 7999 x 7999 pixels: 192 megapixels (counted 3 times, for what "
                         "its decoder keeps), at most 64 are allowed; data.max_megapixels=192"));
  EXPECT_THAT(error_of(with_png_size(fixture("plain.png"), 7999)),
              testing::HasSubstr("7999 x 7999 pixels in"));
}

// Peak of a process that does nothing but decode one file, in MiB. It is a copy of this one, so that is where
// it starts.
long peak_mib(const std::string& bytes) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      decode_image(bytes, 3);
    } catch (const Error&) {
    }
    _exit(0);
  }
  rusage usage{};
  int status = 0;
  EXPECT_EQ(wait4(child, &status, 0, &usage), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
  return usage.ru_maxrss / 1024;
}

// faults.md row 16.
TEST(Image, BombsTakeLessThan256MiB) {
#ifdef __SANITIZE_ADDRESS__
  GTEST_SKIP() << "a sanitizer's own memory would be measured";
#endif
  std::vector<std::string> bombs;
  for (const char* name : {"huge_jpeg.bad", "huge_png.bad", "scans.bad", "bomb_idat.bad", "bomb_text.bad"})
    bombs.push_back(fixture(name));
  bombs.push_back(with_size(fixture("colour.jpg"), 7999));
  bombs.push_back(with_size(fixture("progressive.jpg"), 7999));
  // Long enough for what it promises, then nothing: all memory is taken before the end is found.
  bombs.push_back(with_size(fixture("colour.jpg"), 7999) + std::string(200'000, '\0'));
  bombs.push_back(with_size(fixture("progressive.jpg"), 4600) + std::string(200'000, '\0'));
  bombs.push_back(encode_png({7999, 7999, 3, std::vector<std::uint8_t>(std::size_t{3} * 7999 * 7999)}));
  for (std::size_t i = 0; i < bombs.size(); ++i) EXPECT_LT(peak_mib(bombs[i]), 256) << "bomb " << i;
}

TEST(Image, EveryTruncationIsAnErrorOrComplete) {
  for (const char* name : {"colour.jpg", "progressive.jpg", "plain.png"}) {
    const std::string bytes = fixture(name);
    for (std::size_t size = 0; size + 64 < bytes.size(); ++size)
      EXPECT_NE(error_of(bytes.substr(0, size)), "no error") << name << " " << size;
  }
}

TEST(Image, PngRoundTrip) {
  for (const std::int64_t channels : {1, 3}) {
    const Image image = decode_image(fixture("colour.jpg"), channels);
    EXPECT_EQ(decode_image(encode_png(image), channels).pixels, image.pixels);
  }
}

}  // namespace
}  // namespace mgd
