// Every architecture against its second definition in plain PyTorch, and against published parameter counts.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/model/image_model.h"
#include "model/support.h"

namespace mgd {
namespace {

using Names = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;

class Architecture : public testing::TestWithParam<std::string> {};

TEST_P(Architecture, NamesShapesParametersAndMacs) {
  const nlohmann::json fixture = read_fixture(GetParam());
  const std::int64_t size = fixture["image_size"];
  const auto model =
      make_model({.architecture = GetParam(), .num_classes = fixture["num_classes"].get<std::int64_t>()}, 1);
  Names names;
  for (const NamedTensor& entry : model->state()) {
    EXPECT_EQ(entry.tensor.requires_grad(), entry.kind != TensorKind::buffer) << entry.name;
    names.emplace_back(entry.name, entry.tensor.sizes().vec());
  }
  std::sort(names.begin(), names.end());
  EXPECT_EQ(names, fixture["tensors"].get<Names>());
  EXPECT_EQ(model->num_parameters(), fixture["parameters"].get<std::int64_t>());

  Forward forward;
  forward.capture(model->default_tap());
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->forward(at::zeros({1, 3, size, size}), forward);
  EXPECT_EQ(logits.sizes().vec(), (std::vector<std::int64_t>{1, fixture["num_classes"].get<std::int64_t>()}));
  EXPECT_EQ(forward.macs(), fixture["macs"].get<std::int64_t>());
  const at::Tensor tap = forward.captured().at(model->default_tap());
  ASSERT_TRUE(tap.defined());
  EXPECT_EQ(tap.dim(), 4);
}

TEST_P(Architecture, LogitsOfASmallConfiguration) {
  const nlohmann::json fixture = read_fixture(GetParam());
  if (!fixture.contains("small")) return;
  const nlohmann::json& small = fixture["small"];
  const auto model = make_model({.architecture = GetParam(),
                                 .num_classes = small["num_classes"].get<std::int64_t>(),
                                 .in_channels = small["in_channels"].get<std::int64_t>(),
                                 .width = small["width"].get<double>()},
                                1);
  fill_with_pattern(*model);
  const at::Tensor images =
      pattern("input", {2, model->spec().in_channels, small["height"].get<std::int64_t>(),
                        small["image_width"].get<std::int64_t>()})
          .mul_(4)
          .to(at::kFloat);
  Forward forward;
  const at::NoGradGuard no_grad;
  const at::Tensor logits = model->forward(images, forward);
  const auto expected = small["logits"].get<std::vector<std::vector<double>>>();
  ASSERT_EQ(logits.size(0), 2);
  ASSERT_EQ(logits.size(1), static_cast<std::int64_t>(expected[0].size()));
  double largest = 0, error = 0;
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t k = 0; k < logits.size(1); ++k) {
      const double want = expected[static_cast<std::size_t>(b)][static_cast<std::size_t>(k)];
      largest = std::max(largest, std::abs(want));
      error = std::max(error, std::abs(logits[b][k].item<double>() - want));
    }
  }
  EXPECT_GT(largest, 0.01);
  EXPECT_LT(error, 1e-5 * largest);
}

// Everything that stands in the registry under its own name and has a fixture.
INSTANTIATE_TEST_SUITE_P(All, Architecture,
                         testing::Values("cifar_resnet8", "cifar_resnet14", "cifar_resnet20",
                                         "cifar_resnet32", "cifar_resnet44", "cifar_resnet56",
                                         "cifar_resnet110", "resnet8", "resnet20", "resnet110", "resnet8x4",
                                         "resnet14x4", "resnet20x4", "resnet32x4", "wrn_16_1", "wrn_16_2",
                                         "wrn_40_2", "resnet18", "resnet34", "resnet50", "resnet101",
                                         "mobilenet_v2"),
                         [](const auto& info) { return info.param; });

TEST(Architectures, PublishedParameterCounts) {
  // NamesShapesParametersAndMacs ties these fixtures to the models.
  auto parameters = [](const std::string& name) {
    return read_fixture(name)["parameters"].get<std::int64_t>();
  };
  EXPECT_EQ(parameters("resnet18"), 11'689'512);
  EXPECT_EQ(parameters("resnet34"), 21'797'672);
  EXPECT_EQ(parameters("resnet50"), 25'557'032);
  EXPECT_EQ(parameters("resnet101"), 44'549'160);
  EXPECT_EQ(parameters("mobilenet_v2"), 3'504'872);
  EXPECT_EQ(parameters("resnet8x4"), 1'233'540);
  EXPECT_EQ(parameters("resnet32x4"), 7'433'860);
  EXPECT_EQ(parameters("wrn_40_2"), 2'255'156);
  EXPECT_EQ(parameters("cifar_resnet20"), 269'722);
  EXPECT_EQ(parameters("cifar_resnet56"), 853'018);
}

TEST(Architectures, WidthReachesEveryLayerAndNeverZero) {
  for (const std::string name : {"cifar_resnet8", "resnet8x4", "wrn_10_1", "resnet18", "mobilenet_v2"}) {
    const auto model =
        make_model({.architecture = name, .num_classes = 2, .in_channels = 1, .width = 0.001}, 0);
    const std::int64_t least = name == "mobilenet_v2" ? 8 : 1;
    EXPECT_EQ(model->state().front().tensor.size(0), least) << name;
    Forward forward;
    EXPECT_EQ(model->forward(at::zeros({2, 1, 5, 3}), forward).size(1), 2) << name;
  }
}

}  // namespace
}  // namespace mgd
