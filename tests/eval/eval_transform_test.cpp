// Against timm's evaluation transform, on pictures of all sorts (scripts/fixtures/make_eval_transform.py).
#include "mgd/data/eval_transform.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/eval/classify.h"
#include "mgd/format/archive.h"
#include "mgd/io/weights.h"
#include "mgd/model/image_model.h"

namespace mgd {
namespace {

std::map<std::string, std::string> members() {
  const auto tree = open_file_tree(MGD_SOURCE_DIR
                                   "/tests/eval/fixtures"
                                   "/eval_transform.tar.xz");
  std::map<std::string, std::string> all;
  for (std::size_t i = 0; i < tree->entries().size(); ++i) all[tree->entries()[i].name] = tree->read(i);
  return all;
}

EvalTransform view_of(const nlohmann::json& one) {
  return {.crop_pct = one["crop_pct"],
          .mode = crop_mode_named(one["crop_mode"].get<std::string>(), "fixture"),
          .filter = filter_named(one["interpolation"].get<std::string>(), "fixture"),
          .fill = border_fill({0.485, 0.456, 0.406})};
}

struct OnePicture final : ImageSource {
  Image picture;
  std::vector<std::string> classes = {"a", "b", "c", "d", "e"};
  std::int64_t size() const override { return 1; }
  std::int64_t channels() const override { return 3; }
  const std::vector<std::string>& class_names() const override { return classes; }
  std::int64_t label(std::int64_t) const override { return 0; }
  std::string name(std::int64_t) const override { return "picture"; }
  Image image(std::int64_t) const override { return picture; }
  std::string fingerprint() const override { return ""; }
};

TEST(EvalTransform, IsTimms) {
  auto files = members();
  const auto cases = nlohmann::json::parse(files.at("cases.json"));
  ASSERT_EQ(cases.size(), 40u);
  for (const auto& one : cases) {
    SCOPED_TRACE(one.dump());
    const Image picture = decode_image(files.at(one["file"]), 3);
    const Image got = view_of(one).apply(picture, {.height = one["size"][0], .width = one["size"][1]});
    const Image wanted = decode_image(files.at(one["want"]), 3);
    ASSERT_EQ(got.height, wanted.height);
    ASSERT_EQ(got.width, wanted.width);
    int worst = 0;
    for (std::size_t i = 0; i < wanted.pixels.size(); ++i)
      worst = std::max(worst, std::abs(int{got.pixels[i]} - int{wanted.pixels[i]}));
    EXPECT_LE(worst, 1);
  }
}

TEST(EvalTransform, GivesTheLogitsOfTimmsPictures) {
  auto files = members();
  const auto model = make_model({.architecture = "cifar_resnet8", .num_classes = 5, .width = 0.25}, 1);
  const fs::path weights = fs::path(testing::TempDir()) / "eval_transform.safetensors";
  write_file_atomic(weights, files.at("model.safetensors"));
  load_state(*model, load_tensors(weights.string()), "fixture");
  fs::remove(weights);
  OnePicture source;
  for (const auto& one : nlohmann::json::parse(files.at("cases.json"))) {
    source.picture = decode_image(files.at(one["file"]), 3);
    const at::Tensor logits = answer_all(*model, source,
                                         {.loader_threads = 0,
                                          .mean = {0.485, 0.456, 0.406},
                                          .std = {0.229, 0.224, 0.225},
                                          .height = one["size"][0],
                                          .width = one["size"][1],
                                          .view = view_of(one)})
                                  .logits;
    const auto* got = logits.const_data_ptr<float>();
    double largest = 1;
    for (const auto& logit : one["logits"]) largest = std::max(largest, std::abs(logit.get<double>()));
    for (std::size_t k = 0; k < one["logits"].size(); ++k)
      EXPECT_NEAR(got[k], one["logits"][k].get<double>(), 1e-3 * largest) << one.dump();
  }
}

TEST(EvalTransform, ThinPicturesCostNoMemory) {
  const Image thin{1, 1'000'000, 1, std::vector<std::uint8_t>(1'000'000, 50)};
  for (const Filter filter : {Filter::bilinear, Filter::nearest, Filter::lanczos})
    EXPECT_EQ(EvalTransform{.filter = filter}.apply(thin, {.height = 32, .width = 32}).pixels,
              std::vector<std::uint8_t>(1024, 50));
}

// What eval and predict do with bare weights: the crop is a guess, a picture of the right size is none.
TEST(EvalTransform, PicturesThatAreReadyStayAsTheyAre) {
  Image image{8, 8, 1, std::vector<std::uint8_t>(64)};
  for (std::size_t i = 0; i < image.pixels.size(); ++i) image.pixels[i] = static_cast<std::uint8_t>(37 * i);
  EvalTransform view{.crop_pct = 0.5};
  EXPECT_NE(view.apply(image, {.height = 8, .width = 8}).pixels, image.pixels);
  view.ready_as_is = true;
  EXPECT_EQ(view.apply(image, {.height = 8, .width = 8}).pixels, image.pixels);
  const PictureSize other{.height = 6, .width = 6};
  EXPECT_EQ(view.apply(image, other).pixels, (EvalTransform{.crop_pct = 0.5}.apply(image, other).pixels));
}

TEST(EvalTransform, UnknownNamesAreRefusedWithTheNearest) {
  try {
    filter_named("bicubicc", "config.json: interpolation");
    FAIL();
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'bicubic'"), std::string::npos) << error.what();
  }
  EXPECT_THROW(filter_named("random", ""), Error);
  EXPECT_THROW(crop_mode_named("centre", ""), Error);
}

}  // namespace
}  // namespace mgd
