#include "mgd/format/idle_keys.h"

#include <gmock/gmock.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

std::vector<std::string> idle_of(const std::string& recipe) {
  return idle_keys(read_config(parse_yaml(recipe, "recipe.yaml"), "/tmp"));
}

TEST(IdleKeys, WhatBelongsTogetherIsNone) {
  EXPECT_THAT(idle_of("student: cifar_resnet8"), IsEmpty());
  EXPECT_THAT(
      idle_of("data: {augment: [flip], views: 4, mean: [0.5], std: [0.5]}\n"
              "train: {schedule: step, milestones: [0.5], gamma: 0.2, momentum: 0.8, nesterov: true}"),
      IsEmpty());
  EXPECT_THAT(idle_of("task: mlm\ntext: {max_length: 32}\nobjective: {mask_ratio: 0.3}\n"
                      "train: {optimizer: adamw, beta2: 0.95, final_lr_frac: 0.1}"),
              IsEmpty());
  EXPECT_THAT(idle_of("text: {columns: [text], max_length: 32}"), IsEmpty()) << "classify of texts";
  EXPECT_THAT(idle_of("data: {views: 1}"), IsEmpty()) << "which is what a picture has";
}

TEST(IdleKeys, WhatBelongsToSomethingElseIsSaid) {
  EXPECT_THAT(idle_of("data: {views: 8}"),
              ElementsAre("data.views=8 changes nothing: without data.augment a picture has one form"));
  EXPECT_THAT(
      idle_of("task: mlm\ndata: {augment: [flip], views: 8, image_size: 64}"),
      ElementsAre(HasSubstr("data.augment="), HasSubstr("data.views=8 changes nothing: it is for pictures"),
                  HasSubstr("data.image_size=64 changes nothing")));
  EXPECT_THAT(idle_of("text: {max_length: 32}"),
              ElementsAre(HasSubstr("text.max_length=32 changes nothing: it is for texts")));
  EXPECT_THAT(
      idle_of("task: clm\nobjective: {mask_ratio: 0.3}"),
      ElementsAre("objective.mask_ratio=0.3 changes nothing: it belongs to the tasks mlm and denoise"));
  EXPECT_THAT(
      idle_of("train: {optimizer: adamw, momentum: 0.5, milestones: [0.1], schedule: constant, "
              "final_lr_frac: 0.1}"),
      ElementsAre(HasSubstr("train.momentum=0.5 changes nothing: it belongs to sgd"),
                  HasSubstr("it belongs to the schedule step"), HasSubstr("train.final_lr_frac=0.1")));
}

TEST(IdleKeys, EachObjectiveHasItsOwn) {
  EXPECT_THAT(
      idle_of("task: mlm\nobjective: {span_mean: 2, permute_sentences: 0.5, span_p: 0.3, rule: exact}"),
      ElementsAre(HasSubstr("objective.span_p=0.3 changes nothing: it belongs to objective.spans"),
                  HasSubstr("objective.span_mean=2 changes nothing: it belongs to the task denoise"),
                  HasSubstr("objective.permute_sentences=0.5")));
  EXPECT_THAT(idle_of("task: mlm\nobjective: {spans: true, span_p: 0.3, span_max: 4, mask_frac: 0.9}"),
              IsEmpty());
  EXPECT_THAT(
      idle_of("task: denoise\nobjective: {spans: true, mask_frac: 0.9, span_mean: 2, whole_word: true}"),
      ElementsAre(HasSubstr("objective.spans=true changes nothing: it belongs to the task mlm"),
                  HasSubstr("objective.mask_frac=0.9")));
}

TEST(IdleKeys, AResolvedRecipeHasNoOthers) {
  const Config config = read_config(parse_yaml("data: {views: 8}", "recipe.yaml"), "/tmp");
  EXPECT_EQ(idle_of(config_to_yaml(config)), idle_keys(config));
}

TEST(Normalisation, CountsPixelsFromZeroToOne) {
  EXPECT_THROW(idle_of("data: {mean: [127], std: [0.5]}"), Error);
  EXPECT_THROW(idle_of("data: {mean: [0.5], std: [58]}"), Error);
}

}  // namespace
}  // namespace mgd
