#include "mgd/export/quantize.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/linspace.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "mgd/export/image_graph.h"
#include "mgd/export/interpret.h"

namespace mgd {
namespace {

std::int64_t count(const Graph& graph, const std::string& op) {
  return std::count_if(graph.nodes.begin(), graph.nodes.end(),
                       [&](const OnnxNode& node) { return node.op == op; });
}

Graph resnet8() {
  const auto model = make_model({.architecture = "cifar_resnet8", .num_classes = 7, .width = 0.5}, 3);
  return image_graph(*model, 32, 32).graph;
}

std::set<std::string> all_layers(const Graph& graph) {
  const auto names = quantizable_layers(graph);
  return {names.begin(), names.end()};
}

double noise(const Graph& exact, const Graph& rounded, const at::Tensor& input) {
  const at::Tensor a = run_graph(exact, {{"input", input}}).at("logits");
  const at::Tensor b = run_graph(rounded, {{"input", input}}).at("logits");
  return ((a - b).norm() / a.norm()).item<double>();
}

TEST(Calibrate, ARangeThatHoldsZeroComesFromExtremes) {
  const std::vector<double> counts(2048, 1);
  const Range range = chosen_range(counts, {.low = 2, .high = 10}, RangeRule::min_max);
  EXPECT_EQ(range.low, 0);
  EXPECT_EQ(range.high, 10);
}

// Ten thousand numbers within 1 and one at 100: it costs more to represent it than to cut it.
TEST(Calibrate, AnOutlierIsCutOffBySquaredErrorAndByPercentile) {
  std::vector<double> counts(2048, 0);
  for (std::size_t bin = 0; bin < 20; ++bin) counts[bin] = 1e6;
  counts[2047] = 1;
  const Range seen{.low = 0, .high = 100};
  EXPECT_LT(chosen_range(counts, seen, RangeRule::squared_error).high, 60);
  EXPECT_LT(chosen_range(counts, seen, RangeRule::percentile).high, 2);
  EXPECT_EQ(chosen_range(counts, seen, RangeRule::min_max).high, 100);
}

TEST(Calibrate, EvenlySpreadNumbersKeepTheirRange) {
  const std::vector<double> counts(2048, 10);
  const Range range = chosen_range(counts, {.low = -1, .high = 1}, RangeRule::squared_error);
  EXPECT_NEAR(range.low, -1, 0.03);
  EXPECT_NEAR(range.high, 1, 0.03);
}

TEST(Quantize, EveryLayerGetsIntegerWeightsAndActivations) {
  const Graph graph = resnet8();
  const auto layers = all_layers(graph);
  const at::Tensor input = at::randn({4, 3, 32, 32});
  const Ranges ranges = calibrate(graph, {input}, quantized_values(graph, layers), RangeRule::min_max);
  const Graph small = quantized(graph, ranges, layers);
  for (const auto& name : layers) {
    const at::Tensor& weight = small.constants.at(name + ".weight/int8");
    EXPECT_EQ(weight.scalar_type(), at::kChar);
    // Every channel uses all its levels, and no sum of two products leaves 16 bits.
    EXPECT_TRUE(weight.flatten(1).to(at::kInt).abs().amax(1).eq(64).all().item<bool>()) << name;
    EXPECT_EQ(small.constants.at(name + ".bias/int32").scalar_type(), at::kInt);
    EXPECT_FALSE(small.constants.contains(name + ".weight"));
  }
  const Graph finer = quantized(graph, ranges, layers, WeightBits::eight);
  for (const auto& name : layers)
    EXPECT_TRUE(finer.constants.at(name + ".weight/int8")
                    .flatten(1)
                    .to(at::kInt)
                    .abs()
                    .amax(1)
                    .eq(127)
                    .all()
                    .item<bool>());
  EXPECT_EQ(count(small, "QuantizeLinear"),
            static_cast<std::int64_t>(quantized_values(graph, layers).size()));
  EXPECT_EQ(small.outputs[0].name, "logits");
  EXPECT_LT(noise(graph, small, input), 0.1);
  EXPECT_GT(noise(graph, small, input), 1e-5);
}

TEST(Quantize, LayersThatAreLeftOutStayFloat) {
  const Graph graph = resnet8();
  const auto names = quantizable_layers(graph);
  EXPECT_EQ(names.front(), "conv1");
  EXPECT_EQ(names.back(), "linear");
  const std::set<std::string> one{"layer2.0.conv1"};
  const at::Tensor input = at::randn({2, 3, 32, 32});
  const Ranges ranges = calibrate(graph, {input}, quantized_values(graph, one), RangeRule::percentile);
  const Graph small = quantized(graph, ranges, one);
  EXPECT_TRUE(small.constants.contains("conv1.weight"));
  EXPECT_TRUE(small.constants.contains("linear.weight"));
  EXPECT_FALSE(small.constants.contains("layer2.0.conv1.weight"));
  EXPECT_LT(noise(graph, small, input), 0.05);
}

// A norm that has switched a channel off leaves tiny weights and an ordinary bias, which must fit 32 bits.
TEST(Quantize, ADeadChannelKeepsItsBias) {
  Graph graph;
  graph.inputs = {{.name = "x", .dims = {"batch", std::int64_t{1}, "y", "x"}}};
  graph.outputs = {{.name = "y", .dims = {}}};
  graph.constants = {{"w", at::tensor({1e-12, 0.0, 1.0}).to(at::kFloat).view({3, 1, 1, 1})},
                     {"b", at::tensor({0.7, -0.3, 0.5}).to(at::kFloat)}};
  graph.nodes = {{.op = "Conv", .name = "conv", .inputs = {"x", "w", "b"}, .outputs = {"z"}},
                 {.op = "Sigmoid", .name = "y", .inputs = {"z"}, .outputs = {"y"}}};
  const at::Tensor x = at::linspace(0, 1, 16).view({1, 1, 4, 4});
  const Ranges ranges = calibrate(graph, {x}, quantized_values(graph, {"conv"}), RangeRule::min_max);
  const Graph small = quantized(graph, ranges, {"conv"});
  const at::Tensor exact = run_graph(graph, {{"x", x}}).at("y"),
                   rounded = run_graph(small, {{"x", x}}).at("y");
  EXPECT_LT((exact - rounded).abs().max().item<double>(), 0.01);
}

}  // namespace
}  // namespace mgd
