#include "mgd/train/proposal.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mgd {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

ProposalFacts photos() {
  return {.data = "/photos",
          .given = {.model = "tf_efficientnet_lite0", .weights = "/t.safetensors"},
          .given_parameters = 3'380'000,
          .given_macs = 384'000'000,
          .pictures = 2000,
          .side = 224};
}

// What is proposed is a recipe: it reads without an error, and says what the rules said.
Config read(const Proposal& proposal) {
  return read_config(parse_yaml(proposal.to_yaml(), "recipe.yaml"), "/");
}

TEST(Proposal, DistillationOfPhotosIsARecipe) {
  const Config config = read(propose_distillation(photos()));
  EXPECT_EQ(config.teacher.weights, "/t.safetensors");
  EXPECT_EQ(config.student.model, "resnet18");
  EXPECT_EQ(config.student.width, 0.25);
  EXPECT_EQ(config.data.image_size, 128);
  EXPECT_EQ(config.data.views, 20);
  EXPECT_EQ(config.data.crop_pct, 1);
  EXPECT_EQ(config.train.epochs, 40);
  EXPECT_EQ(config.train.batch_size, 64);
  ASSERT_EQ(config.losses.size(), 2U);
}

TEST(Proposal, FineTuningStartsFromTheGivenWeights) {
  const Config config = read(propose_training(photos()));
  EXPECT_EQ(config.student.model, "tf_efficientnet_lite0");
  EXPECT_EQ(config.student.weights, "/t.safetensors");
  EXPECT_EQ(config.data.image_size, 0);  // its own
  EXPECT_EQ(config.train.epochs, 14);
  EXPECT_TRUE(config.teacher.model.empty());
}

TEST(Proposal, AModelFolderIsNamedByItsPath) {
  ProposalFacts facts = photos();
  facts.given = {.path = "/teacher/model"};
  EXPECT_EQ(read(propose_distillation(facts)).teacher.path, "/teacher/model");
}

TEST(Proposal, ThumbnailsGetANetworkOfTheirKindAndKeepTheirSize) {
  ProposalFacts facts = photos();
  facts.side = 32;
  facts.given_parameters = 853'018;
  facts.pictures = 50'000;
  const Config config = read(propose_distillation(facts));
  EXPECT_EQ(config.student.model, "cifar_resnet20");
  EXPECT_EQ(config.data.image_size, 0);
  EXPECT_EQ(config.train.epochs, 10);
  EXPECT_THAT(propose_distillation(facts).to_yaml(), Not(HasSubstr("random_resized_crop")));
}

TEST(Proposal, AnArchitectureThatIsAskedForIsTaken) {
  ProposalFacts facts = photos();
  facts.student = "mobilenet_v2";
  EXPECT_EQ(read(propose_distillation(facts)).student.model, "mobilenet_v2");
  facts.given = {};
  EXPECT_EQ(read(propose_training(facts)).student.model, "mobilenet_v2");
}

// Twelve pictures, or a teacher smaller than every candidate: still a recipe that runs.
TEST(Proposal, FewPicturesAndTinyTeachersAreServed) {
  ProposalFacts facts = photos();
  facts.pictures = 12;
  facts.given_parameters = 1000;
  const Config config = read(propose_distillation(facts));
  EXPECT_EQ(config.train.batch_size, 8);
  EXPECT_EQ(config.train.epochs, 100);
  EXPECT_EQ(config.student.width, 0.125);
  facts.pictures = 3;
  EXPECT_EQ(read(propose_distillation(facts)).train.batch_size, 3);
}

TEST(Proposal, EveryReasonStandsBesideItsGroup) {
  const std::string yaml = propose_distillation(photos()).to_yaml();
  EXPECT_THAT(yaml, HasSubstr("# train.epochs: about 80,000 pictures in all"));
  EXPECT_LT(yaml.find("# train.epochs"), yaml.find("\ntrain:"));
  EXPECT_GT(yaml.find("# train.epochs"), yaml.find("\nstudent:"));
}

LayerSummary layer(const std::string& name, std::vector<std::int64_t> shape) {
  return {.name = name, .shape = std::move(shape), .parameters = 1};
}

// A teacher at 224 and a student at 128.
ModelSummary large() {
  return {.nodes = {layer("blocks.4", {112, 14, 14}), layer("blocks.5", {192, 7, 7}),
                    layer("blocks.6", {320, 7, 7}), layer("head", {6})}};
}
ModelSummary small() {
  return {
      .macs = 44'000'000,
      .nodes = {layer("layer2", {32, 16, 16}), layer("layer3", {64, 8, 8}), layer("layer4", {128, 4, 4})}};
}

TEST(ProposeTaps, TakesTheDeepestMapThatTheStudentCanAffordAndTheNearestSize) {
  const auto taps = propose_taps(small(), large());
  ASSERT_TRUE(taps);
  EXPECT_EQ(taps->teacher, "blocks.5") << "the block for 320 channels would cost twice the student";
  EXPECT_EQ(taps->student, "layer3");
  EXPECT_FALSE(taps->same_size);
}

TEST(ProposeTaps, FindsMapsOfEqualSize) {
  ModelSummary student = small();
  student.nodes[1].shape = {64, 7, 7};
  const auto taps = propose_taps(student, large());
  ASSERT_TRUE(taps);
  EXPECT_EQ(taps->student, "layer3");
  EXPECT_TRUE(taps->same_size);
}

TEST(ProposeTaps, LeavesTinyMapsAlone) {
  ModelSummary teacher{.nodes = {layer("layer4", {512, 1, 1}), layer("fc", {6})}};
  EXPECT_FALSE(propose_taps(small(), teacher));
  EXPECT_FALSE(propose_taps({.macs = 1'000'000'000, .nodes = {layer("fc", {6})}}, large()));
}

TEST(Proposal, MapsAreRegeneratedOnlyWhereBothHaveThem) {
  ProposalFacts facts = photos();
  EXPECT_EQ(read(propose_distillation(facts)).losses.size(), 2U);
  EXPECT_THAT(propose_distillation(facts).to_yaml(), HasSubstr("no mgd"));
  facts.taps = ProposedTaps{.student = "layer3", .teacher = "blocks.5", .mean_square = 35};
  const Config config = read(propose_distillation(facts));
  ASSERT_EQ(config.losses.size(), 3U);
  EXPECT_EQ(config.losses[2].find("teacher_tap")->scalar, "blocks.5");
  EXPECT_EQ(config.losses[2].find("weight")->scalar, "0.0029")
      << "maps of large numbers weigh no more than others";
}

// What it learned at, whatever the student can afford.
TEST(Proposal, ATeacherOfPhotosKeepsItsSize) {
  EXPECT_EQ(read(propose_distillation(photos())).teacher.image_size, 224);
}

}  // namespace
}  // namespace mgd
