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
  EXPECT_EQ(config.data.views, 8);
  EXPECT_EQ(config.train.epochs, 40);
  EXPECT_EQ(config.train.batch_size, 64);
  ASSERT_EQ(config.losses.size(), 3U);
}

TEST(Proposal, FineTuningStartsFromTheGivenWeights) {
  const Config config = read(propose_training(photos()));
  EXPECT_EQ(config.student.model, "tf_efficientnet_lite0");
  EXPECT_EQ(config.student.weights, "/t.safetensors");
  EXPECT_EQ(config.data.image_size, 0);  // its own
  EXPECT_EQ(config.train.epochs, 10);
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

}  // namespace
}  // namespace mgd
