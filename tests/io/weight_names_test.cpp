#include "mgd/io/weight_names.h"

#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace mgd {
namespace {

using ::testing::HasSubstr;

TensorMap named(const std::vector<std::string>& names, double value = 1) {
  TensorMap all;
  for (const auto& name : names) all[name] = at::full({2}, value);
  return all;
}

std::vector<std::string> names_of(const TensorMap& tensors) {
  std::vector<std::string> names;
  for (const auto& [name, tensor] : tensors) names.push_back(name);
  return names;
}

const std::vector<std::string> kPlain{"conv1.weight", "fc.bias"};

TEST(WeightNames, WrappersComeOffOneInAnother) {
  std::string note;
  for (const std::string prefix :
       {"module.", "model.", "backbone.", "_orig_mod.", "student.", "state_dict.", "ema.", "model_ema.",
        "state_dict_ema.", "module._orig_mod.", "state_dict.model.module.backbone.", "ema.module.", "net."}) {
    EXPECT_EQ(names_of(unwrapped_names(named({prefix + kPlain[0], prefix + kPlain[1]}), note)), kPlain)
        << prefix;
    EXPECT_THAT(note, HasSubstr("names read without")) << prefix;
  }
  EXPECT_EQ(names_of(unwrapped_names(named(kPlain), note)), kPlain);
  EXPECT_EQ(note, "");
  // A layer that is called so alone is no wrapper: there is no dot behind it.
  EXPECT_EQ(names_of(unwrapped_names(named({"model", "conv1.weight"}), note)),
            (std::vector<std::string>{"conv1.weight", "model"}));
}

TEST(WeightNames, AHeadBesideTheBackboneKeepsItsName) {
  std::string note;
  EXPECT_EQ(names_of(unwrapped_names(named({"backbone.conv1.weight", "fc.bias"}), note)), kPlain);
  // But two tensors never become one.
  const std::vector<std::string> twice{"conv1.weight", "model.conv1.weight"};
  EXPECT_EQ(names_of(unwrapped_names(named(twice), note)), twice);
  EXPECT_EQ(note, "");
}

TEST(WeightNames, TheAveragedCopyCounts) {
  for (const auto& [average, other] :
       {std::pair{"ema.module.", "model."}, std::pair{"state_dict_ema.", "state_dict."},
        std::pair{"model_ema.", ""}, std::pair{"ema.", "module._orig_mod."}}) {
    TensorMap both = named({std::string(other) + kPlain[0], std::string(other) + kPlain[1]}, 1);
    both.merge(named({std::string(average) + kPlain[0], std::string(average) + kPlain[1]}, 2));
    std::string note;
    const TensorMap tensors = unwrapped_names(both, note);
    EXPECT_EQ(names_of(tensors), kPlain) << average;
    for (const auto& [name, tensor] : tensors) EXPECT_EQ(tensor[0].item<double>(), 2) << average << name;
    EXPECT_THAT(note, HasSubstr("2 tensors left out")) << average;
  }
}

TEST(WeightNames, TheCountOfAnAveragedModelIsNoWeight) {
  TensorMap tensors = named({"module.conv1.weight", "module.fc.bias"});
  tensors["n_averaged"] = at::full({}, 7, at::kLong);
  std::string note;
  EXPECT_EQ(names_of(unwrapped_names(tensors, note)), kPlain);
  EXPECT_THAT(note, HasSubstr("1 tensors left out"));
}

}  // namespace
}  // namespace mgd
