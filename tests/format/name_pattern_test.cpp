#include "mgd/format/name_pattern.h"

#include <gtest/gtest.h>

namespace mgd {
namespace {

TEST(NamePattern, MeansATensorOrALayerOnItsPath) {
  EXPECT_TRUE(matches_name("layer1.0.conv1.weight", "layer1.0.conv1.weight"));
  EXPECT_TRUE(matches_name("layer1", "layer1.0.conv1.weight"));
  EXPECT_TRUE(matches_name("layer1.0", "layer1.0.conv1.weight"));
  EXPECT_FALSE(matches_name("layer1", "layer10.0.conv1.weight"));
  EXPECT_FALSE(matches_name("layer", "layer1.0.conv1.weight"));
  EXPECT_FALSE(matches_name("conv1", "layer1.0.conv1.weight"));
  EXPECT_FALSE(matches_name("", "layer1.weight"));
}

TEST(NamePattern, StarsAndQuestionMarks) {
  EXPECT_TRUE(matches_name("*.bias", "layer1.0.bn1.bias"));
  EXPECT_FALSE(matches_name("*.bias", "layer1.0.bn1.weight"));
  EXPECT_TRUE(matches_name("*", "conv1.weight"));
  EXPECT_TRUE(matches_name("layer?", "layer3.1.bn2.weight"));
  EXPECT_FALSE(matches_name("layer?", "layer12.1.bn2.weight"));
  EXPECT_TRUE(matches_name("*.bn?", "layer3.1.bn2.weight"));
  EXPECT_TRUE(matches_name("*conv*", "layer3.1.conv2.weight"));
  EXPECT_FALSE(matches_name("*a*a*a*b", std::string(200, 'a')));
}

TEST(NamePattern, KnownNamesAreTensorsAndTheirLayers) {
  EXPECT_EQ(names_and_layers({"a.b.weight", "a.b.bias", "c"}),
            (std::vector<std::string>{"a", "a.b", "a.b.bias", "a.b.weight", "c"}));
}

}  // namespace
}  // namespace mgd
