// Every architecture that timm or torchvision has, against what they make of the same weights and pictures
// (scripts/fixtures/make_architectures.py): names, counts, logits, taps, and the gradients of a step.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"
#include "mgd/model/input_habit.h"
#include "mgd/model/outline.h"
#include "model/support.h"

namespace mgd {
namespace {

using nlohmann::json;
using Names = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

std::vector<std::string> fixtures() {
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(MGD_SOURCE_DIR "/tests/model/fixtures"
                                                                              "/parity"))
    names.push_back(entry.path().stem());
  std::sort(names.begin(), names.end());
  return names;
}

Names sorted(const Outline& outline) {
  Names names;
  for (const TensorOutline& tensor : outline) names.emplace_back(tensor.name, tensor.shape);
  std::sort(names.begin(), names.end());
  return names;
}

at::Tensor picture(std::int64_t batch, const json& given) {
  return pattern("input", {batch, given["in_channels"].get<std::int64_t>(),
                           given["height"].get<std::int64_t>(), given["width"].get<std::int64_t>()})
      .mul_(4);
}

std::unique_ptr<ImageModel> patterned(const std::string& architecture, const json& given) {
  auto model = make_model({.architecture = architecture,
                           .num_classes = given["num_classes"].get<std::int64_t>(),
                           .in_channels = given["in_channels"].get<std::int64_t>(),
                           .width = given.value("multiplier", 1.0)},
                          1);
  fill_with_pattern(*model);
  return model;
}

// The largest difference over the largest value expected; every `step`-th value is compared.
double error(const at::Tensor& got, const std::vector<double>& expected, std::int64_t step) {
  const at::Tensor flat = got.detach().contiguous().view({-1}).to(at::kDouble);
  double largest = 1e-300, worst = 0;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    largest = std::max(largest, std::abs(expected[i]));
    worst = std::max(worst, std::abs(flat[static_cast<std::int64_t>(i) * step].item<double>() - expected[i]));
  }
  return worst / largest;
}

std::vector<double> flat(const json& rows) {
  std::vector<double> values;
  for (const json& row : rows) values.insert(values.end(), row.begin(), row.end());
  return values;
}

class Parity : public testing::TestWithParam<std::string> {
 protected:
  json fixture = read_fixture("parity/" + GetParam());
};

TEST_P(Parity, NamesShapesAndCounts) {
  const ModelSpec spec{.architecture = GetParam(), .num_classes = fixture["num_classes"].get<std::int64_t>()};
  EXPECT_EQ(sorted(outline_of(spec).value()), fixture["tensors"].get<Names>());
  const auto other = outline_of(spec, Naming::other);
  ASSERT_EQ(other.has_value(), fixture.contains("other_tensors"));
  if (other) {
    EXPECT_EQ(sorted(*other), fixture["other_tensors"].get<Names>());
  }

  RandomStream nothing = RandomStream::idle_stream();
  const auto parameters = checked_architecture(spec).build(spec, nothing)->num_parameters();
  EXPECT_EQ(parameters, fixture["parameters"].get<std::int64_t>());
  if (!fixture.contains("macs")) return;  // the narrow cases have theirs
  const auto model = make_model(spec, 1);
  EXPECT_EQ(model->num_parameters(), fixture["parameters"].get<std::int64_t>());
  const std::int64_t side = fixture["image_size"];
  Forward forward;
  forward.capture(model->default_tap());
  const at::NoGradGuard no_grad;
  model->forward(at::zeros({1, 3, side, side}), forward);
  EXPECT_EQ(forward.macs(), fixture["macs"].get<std::int64_t>());
  EXPECT_EQ(forward.captured().at(model->default_tap()).dim(), 4) << model->default_tap();
}

// In float as the program runs it, and in double, where nothing but the formulas can differ.
TEST_P(Parity, LogitsAndTaps) {
  for (const json& given : fixture["cases"]) {
    const auto model = patterned(GetParam(), given);
    for (const auto type : {at::kFloat, at::kDouble}) {
      model->to(type);
      // `rounding` is how far the library's own float is from the exact result: untrained networks of a
      // hundred layers magnify it. Another processor sums in another order, and may be some times further
      // away.
      const double rounding = given["rounding"];
      const double allowed =
          type == at::kDouble ? std::max(1e-11, 1e-8 * rounding) : std::max(2e-5, 10 * rounding);
      Forward forward;
      for (const auto& [tap, value] : given["taps"].items()) forward.capture(tap);
      const at::NoGradGuard no_grad;
      const at::Tensor logits =
          model->forward(picture(2, given).to(type).contiguous(at::MemoryFormat::ChannelsLast), forward);
      EXPECT_LT(error(logits, flat(given["logits"]), 1), allowed);
      EXPECT_EQ(forward.macs(),
                given.contains("macs") ? 2 * given["macs"].get<std::int64_t>() : forward.macs());
      for (const auto& [tap, value] : given["taps"].items()) {
        const at::Tensor& got = forward.captured().at(tap);
        ASSERT_TRUE(got.defined()) << tap;
        EXPECT_EQ(got.sizes().vec(), value["shape"].get<std::vector<std::int64_t>>()) << tap;
        EXPECT_LT(error(got, value["values"].get<std::vector<double>>(), value["step"]), allowed) << tap;
        const double norm = value["norm"];
        EXPECT_NEAR(got.norm().item<double>(), norm, allowed * norm) << tap;
      }
    }
  }
}

// A frozen network without anybody looking on: norms are folded into the convolutions, and weights are
// packed.
TEST_P(Parity, LogitsOfAFrozenNetwork) {
  for (const json& given : fixture["cases"]) {
    const auto model = patterned(GetParam(), given);
    model->set_requires_grad(false);
    // A folded norm rounds x * scale and mean * scale, each larger than their difference.
    const double allowed = std::max(5e-5, 100 * given["rounding"].get<double>());
    const at::Tensor images = picture(2, given).to(at::kFloat);
    const at::NoGradGuard no_grad;
    for (const auto layout : {at::MemoryFormat::Contiguous, at::MemoryFormat::ChannelsLast}) {
      Forward forward;
      EXPECT_LT(error(model->forward(images.contiguous(layout), forward), flat(given["logits"]), 1), allowed);
    }
  }
}

// Weights under the names of the other library, and what its own network makes of them.
TEST_P(Parity, OtherNamesAreOfTheSameTensors) {
  if (!fixture.contains("other_case")) return;
  const json& given = fixture["other_case"];
  const auto model = patterned(GetParam(), given);
  model->to(at::kDouble);
  const Outline theirs = outline_of(model->spec(), Naming::other).value();
  const auto state = model->state();
  ASSERT_EQ(theirs.size(), state.size());
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < state.size(); ++i)
    if (state[i].tensor.is_floating_point())
      state[i].tensor.copy_(pattern_weight(theirs[i].name, theirs[i].shape)
                                .to(at::kFloat)  // as the library stored them
                                .view(state[i].tensor.sizes()));
  Forward forward;
  EXPECT_LT(error(model->forward(picture(2, given), forward), flat(given["logits"]), 1), 1e-10);
}

// In float, through the fused norms: near the exact gradients, which a chain of norms over few values only
// roughly keeps.
TEST_P(Parity, GradientsInFloatAreNear) {
  const json& given = fixture["cases"][0];
  if (!given.contains("gradients")) return;
  const auto model = patterned(GetParam(), given);
  model->to_channels_last();
  Forward forward(/*training=*/true);
  const at::Tensor images = picture(4, given).to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
  model->forward(images, forward).square().sum().backward();
  double total = 0;
  for (const auto& [name, expected] : given["gradients"].items())
    total = std::hypot(total, expected[0].get<double>());
  for (const NamedTensor& entry : model->parameters()) {
    const json& expected = given["gradients"].at(entry.name);
    const double norm = expected[0], allowed = 0.05 * norm + 1e-5 * total;
    const at::Tensor grad = entry.tensor.grad().to(at::kDouble);
    EXPECT_NEAR(grad.norm().item<double>(), norm, allowed) << entry.name;
    EXPECT_NEAR(grad.mul(pattern("grad " + entry.name, grad.sizes())).sum().item<double>(),
                expected[1].get<double>(), allowed)
        << entry.name;
  }
}

// In double, where nothing but the formulas can differ.
TEST_P(Parity, GradientsOfAStep) {
  const json& given = fixture["cases"][0];
  if (!given.contains("gradients")) return;
  const auto model = patterned(GetParam(), given);
  model->to(at::kDouble);
  Forward forward(/*training=*/true);
  model->forward(picture(4, given), forward).square().sum().backward();
  const auto parameters = model->parameters();
  EXPECT_EQ(parameters.size(), given["gradients"].size());
  for (const NamedTensor& entry : parameters) {
    const json& expected = given["gradients"].at(entry.name);
    const double norm = expected[0];
    const at::Tensor& grad = entry.tensor.grad();
    ASSERT_TRUE(grad.defined()) << entry.name;
    // A bias before a norm has no gradient but rounding.
    const double allowed = 1e-8 * norm + 1e-9;
    EXPECT_NEAR(grad.norm().item<double>(), norm, allowed) << entry.name;
    EXPECT_NEAR(grad.mul(pattern("grad " + entry.name, grad.sizes())).sum().item<double>(),
                expected[1].get<double>(), allowed)
        << entry.name;
  }
}

TEST_P(Parity, WhatItIsUsedToSee) {
  const InputHabit habit = input_habit(GetParam());
  if (!fixture.contains("habit")) {  // torchvision's
    EXPECT_EQ(habit.height, 224);
    EXPECT_EQ(habit.interpolation, "bilinear");
    return;
  }
  const json& expected = fixture["habit"];
  EXPECT_EQ(habit.height, expected["height"].get<std::int64_t>());
  EXPECT_EQ(habit.width, expected["width"].get<std::int64_t>());
  EXPECT_EQ(habit.crop_pct, expected["crop_pct"].get<double>());
  EXPECT_EQ(habit.interpolation, expected["interpolation"].get<std::string>());
  EXPECT_EQ(habit.mean, expected["mean"].get<std::vector<double>>());
  EXPECT_EQ(habit.std, expected["std"].get<std::vector<double>>());
}

TEST(InputHabit, IsOfTheFamily) {
  for (const std::string name : {"cifar_resnet56", "resnet8x4", "wrn_40_2", "wrn_22_3"}) {
    const InputHabit habit = input_habit(name);
    EXPECT_EQ(habit.height, 32) << name;
    EXPECT_EQ(habit.width, 32) << name;
    EXPECT_EQ(habit.crop_pct, 1) << name;
  }
  const InputHabit habit = input_habit("resnet50");
  EXPECT_EQ(habit.height, 224);
  EXPECT_EQ(habit.crop_pct, 0.875);
  EXPECT_EQ(habit.mean, (std::vector<double>{0.485, 0.456, 0.406}));
  EXPECT_EQ(habit.std, (std::vector<double>{0.229, 0.224, 0.225}));
  try {
    input_habit("resnet50x");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("'resnet50x'; did you mean 'resnet50'?"));
  }
}

INSTANTIATE_TEST_SUITE_P(All, Parity, testing::ValuesIn(fixtures()),
                         [](const auto& info) { return info.param; });

}  // namespace
}  // namespace mgd
