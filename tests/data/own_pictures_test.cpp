#include "mgd/data/own_pictures.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::HasSubstr;

OwnPictures greys(std::int64_t size) {
  OwnPictures own{.size = size, .channels = 1, .classes = {"even", "odd"}};
  own.label = [](std::int64_t index) { return index % 2; };
  own.image = [](std::int64_t index) {
    return Image{.height = 2,
                 .width = 3,
                 .channels = 1,
                 .pixels = std::vector<std::uint8_t>(6, static_cast<std::uint8_t>(index))};
  };
  return own;
}

TEST(OwnPictures, AreWhatTheFunctionsGive) {
  const auto source = make_pictures(greys(5));
  EXPECT_EQ(source->size(), 5);
  EXPECT_EQ(source->channels(), 1);
  EXPECT_EQ(source->label(3), 1);
  EXPECT_EQ(source->name(3), "picture[3]");
  EXPECT_EQ(source->image(4).pixels, std::vector<std::uint8_t>(6, 4));
  OwnPictures newer = greys(5);
  newer.version = "2";
  EXPECT_NE(make_pictures(newer)->fingerprint(), source->fingerprint());
  EXPECT_NE(make_pictures(greys(6))->fingerprint(), source->fingerprint());
}

TEST(OwnPictures, WhatIsNoPictureIsRefused) {
  OwnPictures own = greys(5);
  own.image = [](std::int64_t) { return Image{.height = 2, .width = 3, .channels = 1, .pixels = {1, 2}}; };
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { make_pictures(own)->image(1); }),
              HasSubstr("picture[1]: got 2 x 3 x 1 with 2 bytes, expected 1 channels"));
  EXPECT_THAT(error_of(ExitCode::usage, [] { make_pictures(greys(0)); }), HasSubstr("size: got 0"));
  own.image = nullptr;
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_pictures(own); }), HasSubstr("no function"));
  own = greys(1);
  own.channels = 2;
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_pictures(own); }), HasSubstr("channels: got 2"));
}

}  // namespace
}  // namespace mgd
