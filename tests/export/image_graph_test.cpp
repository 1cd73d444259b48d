#include "mgd/export/image_graph.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/avg_pool2d.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/uniform.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "expect_error.h"
#include "mgd/export/form.h"
#include "mgd/export/interpret.h"

namespace mgd {
namespace {

// Weights as if trained: batch norms with statistics that are not 0 and 1.
std::unique_ptr<ImageModel> model_of(const std::string& name, double width = 0.25) {
  auto model = make_model({.architecture = name, .num_classes = 7, .in_channels = 3, .width = width}, 3);
  for (const auto& entry : model->state()) {
    at::Tensor tensor = entry.tensor.detach();
    if (entry.name.ends_with("running_mean")) tensor.uniform_(-0.5, 0.5);
    if (entry.name.ends_with("running_var")) tensor.uniform_(0.5, 2);
    if (entry.kind == TensorKind::norm) tensor.uniform_(0.5, 1.5);
  }
  return model;
}

bool has_node(const Graph& graph, const std::string& op) {
  return std::any_of(graph.nodes.begin(), graph.nodes.end(),
                     [&](const OnnxNode& node) { return node.op == op; });
}

// One of each kind of block; the larger ones of a family have more of the same, and untrained ones of a
// hundred layers say nothing, because rounding grows from block to block.
TEST(ImageGraph, EveryFamilyComputesWhatItsModelDoes) {
  for (const char* name : {"cifar_resnet14",
                           "resnet8x4",
                           "wrn_16_2",
                           "resnet18",
                           "resnet50",
                           "resnet18d",
                           "seresnet18",
                           "resnext50_32x4d",
                           "wide_resnet50_2",
                           "mobilenet_v2",
                           "mobilenetv2_100",
                           "mobilenet_v3_small",
                           "mobilenetv3_small_100",
                           "efficientnet_b0",
                           "tf_efficientnet_b0",
                           "tf_efficientnet_lite0",
                           "ghostnet_100",
                           "regnetx_002",
                           "regnety_002",
                           "densenet121",
                           "shufflenet_v2_x0_5",
                           "convnext_atto"}) {
    SCOPED_TRACE(name);
    const auto model = model_of(name);
    const ImageGraph exported = image_graph(*model, 64, 64);
    EXPECT_LT(graph_difference(exported, *model, 64, 64), 1e-4);
  }
}

// Its pooling to 7 x 7 has an ONNX form where the maps are a multiple of that.
TEST(ImageGraph, VggIsExportedAtItsOwnSizeAndRefusedWhereThePoolingHasNoForm) {
  const auto model = model_of("vgg11_bn", 0.125);
  const ImageGraph exported = image_graph(*model, 224, 224);
  EXPECT_LT(graph_difference(exported, *model, 224, 224), 1e-4);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { image_graph(*model, 64, 64); }),
              testing::AllOf(testing::HasSubstr("adaptive_avg_pool2d"), testing::HasSubstr("multiple")));
}

TEST(ImageGraph, NamesAreThoseOfTheModel) {
  const auto model = model_of("cifar_resnet8");
  const Graph graph = image_graph(*model, 32, 32).graph;
  EXPECT_TRUE(graph.constants.contains("layer1.0.conv1.weight"));
  EXPECT_TRUE(graph.constants.contains("layer1.0.conv1.bias"));  // the norm's shift
  EXPECT_TRUE(graph.constants.contains("linear.weight"));
  EXPECT_FALSE(has_node(graph, "BatchNormalization"));
  std::vector<std::string> nodes, values;
  for (const auto& node : graph.nodes) {
    nodes.push_back(node.name);
    values.push_back(node.outputs[0]);
  }
  EXPECT_THAT(nodes, testing::IsSupersetOf({"conv1", "layer1.0.conv2", "linear"}));
  EXPECT_THAT(values, testing::IsSupersetOf({"layer1.0.bn1", "layer1", "layer3", "pool", "logits"}));
  EXPECT_EQ(std::set<std::string>(nodes.begin(), nodes.end()).size(), nodes.size());
}

TEST(ImageGraph, BatchAndSizeAreFree) {
  const auto model = model_of("resnet18");
  const ImageGraph exported = image_graph(*model, 48, 64);
  EXPECT_TRUE(exported.any_size) << exported.fixed_by;
  EXPECT_EQ(exported.graph.inputs[0].dims,
            (std::vector<OnnxDim>{"batch", std::int64_t{3}, "height", "width"}));
  EXPECT_EQ(exported.graph.outputs[0].dims, (std::vector<OnnxDim>{"batch", std::int64_t{7}}));
}

TEST(ImageGraph, TheModelIsAsBefore) {
  const auto model = model_of("cifar_resnet8");
  std::vector<at::Tensor> before;
  for (const auto& entry : model->state()) before.push_back(entry.tensor.clone());
  image_graph(*model, 32, 32);
  const auto after = model->state();
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i].tensor.scalar_type(), before[i].scalar_type()) << after[i].name;
    EXPECT_TRUE(after[i].tensor.equal(before[i])) << after[i].name;
  }
}

// Norms in front of convolutions (pre-activation) cannot go into weights and must stay.
TEST(ImageGraph, ANormWithoutAConvolutionBeforeItStays) {
  EXPECT_TRUE(has_node(image_graph(*model_of("wrn_10_1", 1), 32, 32).graph, "BatchNormalization"));
}

// A model that does one thing to its input's channels.
class Toy : public ImageModel {
 public:
  using Step = at::Tensor (*)(const at::Tensor& x, Forward& forward);
  explicit Toy(Step step)
      : ImageModel({.architecture = "toy", .num_classes = 3, .in_channels = 3}), step_(step) {}
  at::Tensor forward(at::Tensor input, Forward& forward) override {
    return step_(forward.node("input", input), forward).mean({2, 3});
  }
  std::string default_tap() const override { return "input"; }

 private:
  Step step_;
};

TEST(ImageGraph, AnOperatorWithoutFormIsRefusedByName) {
  Toy toy([](const at::Tensor& x, Forward& forward) {
    return std::get<0>(forward.node("stem", x.relu()).sort(1));
  });
  EXPECT_THAT(error_of(ExitCode::usage, [&] { image_graph(toy, 8, 8); }),
              testing::AllOf(testing::HasSubstr("aten::sort"), testing::HasSubstr("'stem'")));
}

TEST(ImageGraph, MemoryFilledByOtherMeansThanOperatorsIsRefused) {
  Toy toy([](const at::Tensor& x, Forward&) {
    at::Tensor y = at::empty_like(x);
    std::fill_n(y.mutable_data_ptr<double>(), y.numel(), 1.0);
    return y;
  });
  EXPECT_THAT(error_of(ExitCode::usage, [&] { image_graph(toy, 8, 8); }),
              testing::HasSubstr("aten::empty_like"));
}

TEST(ImageGraph, WritingInPlaceIntoAViewIsRefused) {
  Toy toy([](const at::Tensor& x, Forward&) {
    const at::Tensor y = x.relu();
    y.view({x.size(0), -1}).mul_(2.0);
    return y;
  });
  EXPECT_THAT(error_of(ExitCode::usage, [&] { image_graph(toy, 8, 8); }), testing::HasSubstr("aten::mul_"));
}

TEST(ImageGraph, InPlaceOnAnOwnTensorIsFollowed) {
  Toy toy([](const at::Tensor& x, Forward&) {
    at::Tensor y = x + 1.0;
    y.relu_();
    return y * 2.0;
  });
  EXPECT_LT(graph_difference(image_graph(toy, 8, 8), toy, 8, 8), 1e-6);
}

TEST(ImageGraph, AChannelShuffleKeepsBatchAndSizeFree) {
  Toy toy([](const at::Tensor& x, Forward&) {
    const at::Tensor twice = at::cat({x, x * 2.0, x - 1.0}, 1);  // 9 channels
    const auto B = x.size(0), Y = x.size(2), X = x.size(3);
    return twice.view({B, 3, 3, Y, X}).transpose(1, 2).reshape({B, 9, Y, X}).chunk(3, 1)[1];
  });
  const ImageGraph exported = image_graph(toy, 8, 8);
  EXPECT_TRUE(exported.any_size) << exported.fixed_by;
  EXPECT_LT(graph_difference(exported, toy, 8, 8), 1e-6);
}

// Padding that depends on the size, as TensorFlow's SAME: right at the recorded size, and fixed to it.
TEST(ImageGraph, PaddingThatFollowsTheSizeFixesTheSize) {
  Toy toy([](const at::Tensor& x, Forward&) {
    return at::avg_pool2d(at::constant_pad_nd(x, {x.size(3) % 2, 1, x.size(2) % 2, 1}, 0), 2, 2);
  });
  const ImageGraph exported = image_graph(toy, 8, 8);
  EXPECT_FALSE(exported.any_size);
  EXPECT_EQ(exported.graph.inputs[0].dims,
            (std::vector<OnnxDim>{"batch", std::int64_t{3}, std::int64_t{8}, std::int64_t{8}}));
  EXPECT_LT(graph_difference(exported, toy, 8, 8), 1e-6);
}

TEST(ImageGraph, WhatFollowsTheBatchAndCannotBeSaidIsRefused) {
  Toy toy([](const at::Tensor& x, Forward&) { return x * static_cast<double>(x.size(0)); });
  EXPECT_THROW(image_graph(toy, 8, 8), Varies);
}

TEST(ImageGraph, ABrokenNodeIsSeenAsADifference) {
  const auto model = model_of("cifar_resnet8");
  ImageGraph exported = image_graph(*model, 32, 32);
  for (auto& node : exported.graph.nodes)
    if (node.op == "Relu" && node.outputs[0] == "layer2") node.op = "Identity";
  EXPECT_GT(graph_difference(exported, *model, 32, 32), 1e-3);
}

}  // namespace
}  // namespace mgd
