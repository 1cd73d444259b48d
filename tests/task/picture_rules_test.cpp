#include "mgd/task/picture_rules.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"

namespace mgd {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;

PictureSurvey all_of(std::int64_t height, std::int64_t width) {
  const PictureSize size{.height = height, .width = width};
  return {.pictures = 10, .looked = 10, .sizes = 1, .smallest = size, .largest = size};
}

PictureSurvey several() {
  return {.pictures = 10,
          .looked = 10,
          .sizes = 3,
          .smallest = {.height = 60, .width = 61},
          .largest = {.height = 900, .width = 1200}};
}

Viewer folder(std::int64_t side, const std::string& role = "teacher") {
  ModelFolderInfo info{.architecture = "resnet18", .num_classes = 2, .height = side, .width = side};
  info.mean = {0.1, 0.2, 0.3};
  info.std = {0.4, 0.5, 0.6};
  info.interpolation = "bicubic";
  info.crop_pct = 0.9;
  return {.role = role, .place = role + "/folder", .folder = info};
}

Viewer weights(const std::string& architecture, bool trained = true) {
  return {.role = trained ? "teacher" : "student",
          .place = "w.safetensors",
          .architecture = architecture,
          .trained = trained};
}

TEST(PictureRules, TheRecipesSizeComesFirstThenTheFoldersThenTheHabit) {
  DataConfig asked;
  asked.image_size = 96;
  EXPECT_EQ(settle_pictures(asked, {folder(160)}, several(), 3).size, (PictureSize{96, 96}));
  EXPECT_EQ(settle_pictures({}, {folder(160)}, several(), 3).size, (PictureSize{160, 160}));
  // The teacher's folder is asked first, but a student's says more than the habit of bare weights.
  EXPECT_EQ(settle_pictures({}, {folder(160), folder(64, "student")}, several(), 3).size,
            (PictureSize{160, 160}));
  EXPECT_EQ(settle_pictures({}, {weights("resnet18"), folder(64, "student")}, several(), 3).size,
            (PictureSize{64, 64}));
  EXPECT_EQ(settle_pictures({}, {weights("resnet18")}, several(), 3).size, (PictureSize{224, 224}));
  EXPECT_EQ(settle_pictures({}, {weights("cifar_resnet8", false)}, several(), 3).size, (PictureSize{32, 32}));
}

TEST(PictureRules, OneSizeBelowTheHabitIsKeptAndSeenWhole) {
  const PictureRules digits = settle_pictures({}, {weights("cifar_resnet8", false)}, all_of(8, 8), 1);
  EXPECT_EQ(digits.size, (PictureSize{8, 8}));
  // The weights of a network that was trained at 160 pixels.
  const PictureRules c12 = settle_pictures({}, {weights("resnet18")}, all_of(160, 160), 3);
  EXPECT_EQ(c12.size, (PictureSize{160, 160}));
  EXPECT_EQ(c12.view.crop_pct, 1);
  // Neighbours: larger pictures, and ones of several sizes below the habit.
  EXPECT_EQ(settle_pictures({}, {weights("resnet18")}, all_of(384, 512), 3).size, (PictureSize{224, 224}));
  PictureSurvey small = several();
  small.largest = {.height = 100, .width = 100};
  EXPECT_EQ(settle_pictures({}, {weights("resnet18")}, small, 3).size, (PictureSize{224, 224}));
  // Asked for: the same pictures, the same view.
  DataConfig asked;
  asked.image_size = 160;
  EXPECT_EQ(settle_pictures(asked, {weights("resnet18")}, all_of(160, 160), 3).view.crop_pct, 1);
}

TEST(PictureRules, CropAndInterpolationAreTheFoldersOrTheHabitOfTrainedWeights) {
  PictureRules rules = settle_pictures({}, {folder(160)}, several(), 3);
  EXPECT_EQ(rules.view.crop_pct, 0.9);
  EXPECT_EQ(rules.view.filter, Filter::bicubic);
  EXPECT_THAT(rules.mean, ElementsAre(0.1, 0.2, 0.3));
  rules = settle_pictures({}, {weights("resnet18")}, several(), 3);
  EXPECT_EQ(rules.view.crop_pct, 0.875);
  EXPECT_THAT(rules.mean, ElementsAre(0.485, 0.456, 0.406));
  rules = settle_pictures({}, {weights("resnet18", false)}, several(), 3);
  EXPECT_EQ(rules.view.crop_pct, 1);  // nothing was trained with a crop
  EXPECT_EQ(rules.view.filter, Filter::bilinear);
  DataConfig asked;
  asked.crop_pct = 1;
  asked.interpolation = "lanczos";
  asked.crop_mode = "squash";
  rules = settle_pictures(asked, {folder(160)}, several(), 3);
  EXPECT_EQ(rules.view.crop_pct, 1);
  EXPECT_EQ(rules.view.filter, Filter::lanczos);
  EXPECT_EQ(rules.view.mode, CropMode::squash);
}

TEST(PictureRules, TestSizesTakeTheTestCrop) {
  Viewer viewer = folder(160);
  viewer.folder->test_height = viewer.folder->test_width = 224;
  viewer.folder->test_crop_pct = 1;
  EXPECT_EQ(settle_pictures({}, {viewer}, several(), 3).view.crop_pct, 0.9);
  DataConfig asked;
  asked.image_size = 224;
  EXPECT_EQ(settle_pictures(asked, {viewer}, several(), 3).view.crop_pct, 1);
}

std::string refusal(const DataConfig& data, const Viewer& viewer) {
  try {
    settle_pictures(data, {viewer}, several(), 3);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

TEST(PictureRules, WhatAFolderForbidsOrNobodyKnowsIsRefusedByName) {
  Viewer fixed = folder(160);
  fixed.folder->fixed_input_size = true;
  DataConfig asked;
  EXPECT_EQ(refusal(asked, fixed), "");
  asked.image_size = 96;
  EXPECT_THAT(refusal(asked, fixed), HasSubstr("teacher/folder: fixed_input_size"));
  Viewer odd = folder(160);
  odd.folder->interpolation = "random";
  EXPECT_THAT(refusal({}, odd), HasSubstr("teacher/folder: interpolation: got 'random'"));
  odd = folder(160);
  odd.folder->crop_mode = "centre";
  EXPECT_THAT(refusal({}, odd), HasSubstr("did you mean 'center'"));
}

TEST(PictureRules, SizesAndColoursAreSaid) {
  const PictureRules rules = settle_pictures({}, {folder(160)}, several(), 3);
  PictureSurvey survey = several();
  survey.grey = 4;
  const auto lines = describe_pictures(rules, survey, 3);
  EXPECT_THAT(lines[0], HasSubstr("3 x 160 x 160 (the teacher's folder), bicubic, crop 0.9 center"));
  EXPECT_THAT(lines, Contains(HasSubstr("3 sizes from 60 x 61 to 900 x 1200")));
  EXPECT_THAT(lines, Contains(HasSubstr("4 of 10 are grey")));
  EXPECT_EQ(describe_pictures(rules, all_of(160, 160), 3).size(), 1u);  // nothing to be said
  EXPECT_THAT(describe_pictures(rules, all_of(384, 512), 3), Contains(HasSubstr("all 10 are 384 x 512")));
  EXPECT_THAT(describe_pictures(rules, several(), 1), Contains(HasSubstr("10 of 10 have colours")));
}

}  // namespace
}  // namespace mgd
