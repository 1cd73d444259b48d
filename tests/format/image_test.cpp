#include "mgd/format/image.h"

#include <gmock/gmock.h>

#include <fstream>
#include <iterator>

#include "mgd/core/error.h"

namespace mgd {
namespace {

std::string fixture(const std::string& name) {
  std::ifstream file(std::string(MGD_FIXTURES) + "/image/" + name, std::ios::binary);
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

TEST(Image, OrientationExchangesSides) {
  const Image image = decode_image(fixture("exif6.jpg"), 3);
  EXPECT_EQ(image.height, 22);
  EXPECT_EQ(image.width, 13);
}

TEST(Image, NamesWhatIsWrong) {
  EXPECT_EQ(error_of(""), "empty file, expected a JPEG or PNG");
  EXPECT_EQ(error_of("hello\nworld"), "not a JPEG or PNG: starts with 'hello.world'");
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
