#include "mgd/task/identify.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "mgd/core/error.h"
#include "mgd/task/open_model.h"

namespace mgd {
namespace {

using testing::HasSubstr;

TensorMap tensors_of(const ModelSpec& spec, Naming naming = Naming::own) {
  TensorMap tensors;
  const Outline outline = outline_of(spec, naming).value();
  for (const TensorOutline& tensor : outline)
    tensors[tensor.name] = at::empty(tensor.shape, at::TensorOptions().device(at::kMeta));
  return tensors;
}

std::string refusal(const TensorMap& tensors, const std::string& file) {
  try {
    const Identified found = identify(tensors, file);
    return "no error, but " + found.architecture;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
}

// Where several architectures have the same tensors, the file's name tells; without it that is said.
TEST(Identify, EveryArchitectureByItsTensorsOrItsName) {
  for (const std::string& name : known_models()) {
    const TensorMap tensors = tensors_of({.architecture = name, .num_classes = 6, .in_channels = 1});
    const Identified found = identify(tensors, "/models/" + name + "-in1k.safetensors");
    EXPECT_EQ(found.architecture, name) << found.note;
    EXPECT_EQ(found.width, 1) << name;
    try {
      EXPECT_EQ(identify(tensors, "w.safetensors").architecture, name);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(name));
      EXPECT_THAT(error.what(), HasSubstr("name one with --model"));
    }
  }
}

TEST(Identify, ByTheNamesOfTheOtherLibrary) {
  for (const std::string name : {"efficientnet_b0", "efficientnet_b4"}) {
    const Identified found =
        identify(tensors_of({.architecture = name, .num_classes = 37}, Naming::other), "w.safetensors");
    EXPECT_EQ(found.architecture, name);
  }
  // What two architectures have, each with one library's names, goes by the names.
  EXPECT_EQ(identify(tensors_of({.architecture = "mobilenet_v2"}), "w").architecture, "mobilenet_v2");
  EXPECT_EQ(identify(tensors_of({.architecture = "mobilenetv2_100"}), "w").architecture, "mobilenetv2_100");
}

TEST(Identify, TheFolderMayTellToo) {
  const TensorMap tensors = tensors_of({.architecture = "tf_efficientnet_lite0"});
  EXPECT_EQ(identify(tensors, "/m/tf_efficientnet_lite0.in1k/model.safetensors").architecture,
            "tf_efficientnet_lite0");
  EXPECT_EQ(identify(tensors, "/m/efficientnet_lite0/model.safetensors").architecture, "efficientnet_lite0");
  const std::string said = refusal(tensors, "/m/teacher/model.safetensors");
  EXPECT_THAT(said, HasSubstr("efficientnet_lite0 and tf_efficientnet_lite0"));
  EXPECT_EQ(identify(tensors, "tf_efficientnet_lite0-0aa007d2.pth").architecture, "tf_efficientnet_lite0");
  EXPECT_EQ(identify(tensors, "efficientnet_lite0_ra-37913777.pth").architecture, "efficientnet_lite0");
  // A word of a name is not a part of a longer one.
  EXPECT_THAT(refusal(tensors, "/m/my_efficientnet_lite0x/model.safetensors"),
              HasSubstr("different results"));
}

TEST(Identify, OtherWidths) {
  for (const auto& [name, width] :
       std::vector<std::pair<std::string, double>>{{"resnet18", 0.25},
                                                   {"cifar_resnet56", 0.55},
                                                   {"resnet50", 0.3},
                                                   {"mobilenet_v3_large", 0.35},
                                                   {"mobilenet_v2", 1.4},
                                                   {"mobilenetv3_small_100", 0.625},
                                                   {"ghostnet_100", 0.7},
                                                   {"efficientnet_b0", 0.62}}) {
    const ModelSpec spec{.architecture = name, .num_classes = 6, .width = width};
    const Identified found = identify(tensors_of(spec), name + ".safetensors");
    EXPECT_EQ(found.architecture, name);
    // Any width with the same channels is the same network.
    ModelSpec other = spec;
    other.width = found.width;
    const auto expected = outline_of(spec).value(), got = outline_of(other).value();
    for (std::size_t i = 0; i < got.size(); ++i) EXPECT_EQ(got[i].shape, expected[i].shape) << got[i].name;
    EXPECT_EQ(width_of(name, tensors_of(spec)), found.width);
  }
  // A size of a family is that size, not another one made narrower.
  EXPECT_EQ(identify(tensors_of({.architecture = "mobilenetv3_small_050"}), "w.safetensors")
                .architecture.substr(0, 17),
            "mobilenetv3_small");
}

TEST(Identify, WithoutAClassifierOrWithOneOfAnotherName) {
  TensorMap tensors = tensors_of({.architecture = "mobilenetv3_large_100"});
  tensors.erase("classifier.bias");
  tensors["head.bias"] = tensors["classifier.weight"];
  auto node = tensors.extract("classifier.weight");
  node.key() = "head.weight";
  tensors.insert(std::move(node));
  EXPECT_EQ(identify(tensors, "mobilenetv3_large_100.safetensors").architecture, "mobilenetv3_large_100");
  tensors.erase("head.weight");
  tensors.erase("head.bias");
  EXPECT_EQ(identify(tensors, "mobilenetv3_large_100.safetensors").architecture, "mobilenetv3_large_100");
  tensors["a.weight"] = tensors["b.weight"] = at::empty({1});
  EXPECT_THAT(refusal(tensors, "x"), HasSubstr("2 unexpected: a.weight, b.weight"));
}

TEST(Identify, WhatFitsNoneIsToldWhatItIsLike) {
  TensorMap tensors = tensors_of({.architecture = "resnet34"});
  tensors.erase("layer3.5.conv2.weight");
  tensors["layer3.5.conv3.weight"] = at::empty({3});
  tensors["layer1.0.bn1.weight"] = at::empty({65});
  const std::string said = refusal(tensors, "w.safetensors");
  EXPECT_THAT(said, HasSubstr("the nearest is resnet34, with 217 of its 218 tensors there"));
  EXPECT_THAT(said, HasSubstr("1 missing: layer3.5.conv2.weight"));
  EXPECT_THAT(said, HasSubstr("1 unexpected: layer3.5.conv3.weight"));
  EXPECT_THAT(said, HasSubstr("layer1.0.bn1.weight is (65), expected (64)"));
  EXPECT_THAT(refusal({{"h.0.attn.c_attn.weight", at::empty({2, 2})}}, "g.safetensors"),
              HasSubstr("none is like it (the first is 'h.0.attn.c_attn.weight'); known: cifar_resnet8"));
  EXPECT_THAT(refusal({}, "empty.safetensors"), HasSubstr("its 0 tensors fit no known"));
}

// What one library saved gives the same logits under either architecture's names.
TEST(WithOwnNames, TheOtherLibrarysTensorsAreTheSameNetwork) {
  for (const std::string name : {"mobilenetv2_100", "efficientnet_b0"}) {
    const ModelSpec spec{.architecture = name, .num_classes = 3, .width = 0.25};
    const auto model = make_model(spec, 5);
    const TensorMap state = state_of(*model);
    const auto own = outline_of(spec).value(), other = outline_of(spec, Naming::other).value();
    TensorMap foreign;
    for (std::size_t i = 0; i < own.size(); ++i) foreign[other[i].name] = state.at(own[i].name);
    std::string note;
    const TensorMap back = with_own_names(spec, foreign, note);
    EXPECT_EQ(note, "features.0.0.weight read as conv_stem.weight, and all others so");
    ASSERT_EQ(back.size(), state.size());
    for (const auto& [tensor, value] : state) EXPECT_TRUE(at::equal(back.at(tensor), value)) << tensor;
    with_own_names(spec, state, note);
    EXPECT_EQ(note, "");
  }
}

// Through the door that all verbs and recipes take.
TEST(OpenModel, WeightsWithoutAnArchitectureUnderTheOtherLibrarysNames) {
  const ModelSpec spec{.architecture = "efficientnet_b0", .num_classes = 3, .width = 0.25};
  const auto model = make_model(spec, 5);
  const TensorMap state = state_of(*model);
  const auto own = outline_of(spec).value(), other = outline_of(spec, Naming::other).value();
  TensorMap foreign;
  for (std::size_t i = 0; i < own.size(); ++i) foreign[other[i].name] = state.at(own[i].name);
  const OpenedModel opened = open_model({.weights = "w.safetensors"}, {}, foreign, "teacher");
  EXPECT_EQ(opened.info.architecture, "efficientnet_b0");
  EXPECT_EQ(opened.info.width_multiplier, 0.25);
  EXPECT_EQ(opened.info.num_classes, 3);
  EXPECT_EQ(fingerprint_of(*opened.model), fingerprint_of(*model));
  EXPECT_THAT(opened.notes, testing::Contains(HasSubstr("efficientnet_b0 (width 0.25)")));
  EXPECT_THAT(opened.notes, testing::Contains(HasSubstr("features.0.0.weight read as conv_stem.weight")));
}

TEST(Borders, ClassesAndChannelsOfEveryArchitecture) {
  for (const std::string& name : known_models()) {
    const WeightBorders borders =
        borders_of(name, tensors_of({.architecture = name, .num_classes = 37, .in_channels = 5}));
    EXPECT_EQ(borders.classes, 37) << name;
    EXPECT_EQ(borders.channels, 5) << name;
  }
}

}  // namespace
}  // namespace mgd
