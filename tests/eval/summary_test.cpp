#include "mgd/eval/summary.h"

#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include <algorithm>

namespace mgd {
namespace {

const LayerSummary& node(const ModelSummary& summary, const std::string& name) {
  static const LayerSummary kNone;
  for (const LayerSummary& entry : summary.nodes)
    if (entry.name == name) return entry;
  ADD_FAILURE() << name;
  return kNone;
}

using Shape = std::vector<std::int64_t>;

TEST(Summary, CountsOfEachNode) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 0);
  const ModelSummary summary = summarize(*model);
  EXPECT_EQ(summary.architecture, "cifar_resnet8");
  EXPECT_EQ(summary.nodes.front().name, "input");
  EXPECT_EQ(summary.nodes.back().name, "linear");
  EXPECT_EQ(node(summary, "input").shape, (Shape{3, 32, 32}));
  EXPECT_EQ(node(summary, "conv1").shape, (Shape{16, 32, 32}));
  EXPECT_EQ(node(summary, "conv1").parameters, 16 * 3 * 9);
  EXPECT_EQ(node(summary, "conv1").macs, 16 * 3 * 9 * 32 * 32);
  EXPECT_EQ(node(summary, "bn1").parameters, 32);
  EXPECT_EQ(node(summary, "bn1").macs, 0);
  EXPECT_EQ(node(summary, "layer2").parameters, 16 * 32 * 9 + 32 * 32 * 9 + 4 * 32);
  EXPECT_EQ(node(summary, "layer2").macs, (16 * 32 * 9 + 32 * 32 * 9) * 16 * 16);
  EXPECT_EQ(node(summary, "layer2.0").macs, node(summary, "layer2").macs);
  EXPECT_EQ(node(summary, "pool").shape, (Shape{64}));
  EXPECT_EQ(node(summary, "pool").parameters, 0);
  EXPECT_EQ(node(summary, "linear").parameters, 650);
  EXPECT_EQ(node(summary, "linear").macs, 640);

  // The top-level nodes part the whole between them.
  std::int64_t parameters = 0, macs = 0;
  for (const LayerSummary& entry : summary.nodes) {
    if (entry.name.find('.') != std::string::npos) continue;
    parameters += entry.parameters;
    macs += entry.macs;
  }
  EXPECT_EQ(summary.parameters, parameters);
  EXPECT_EQ(summary.macs, macs);
  EXPECT_EQ(summary.parameters, 75'290);
  EXPECT_EQ(summary.macs, 12'239'488);
}

TEST(Summary, NodeInfosNameEveryNode) {
  const auto model = make_model({.architecture = "resnet18", .image_height = 64, .image_width = 96}, 0);
  const ModelSummary summary = summarize(*model);
  const NodeInfos shapes = summary.node_infos();
  EXPECT_EQ(shapes.size(), summary.nodes.size());
  EXPECT_EQ(shapes.at("layer4").sizes, (Shape{512, 2, 3}));
  EXPECT_EQ(shapes.at(model->default_tap()).sizes, (Shape{512, 2, 3}));
  EXPECT_EQ(shapes.at("layer2.0.downsample").sizes, (Shape{128, 8, 12}));
}

// "layer1.1" is no part of "layer1.10".
TEST(Summary, NamesWithACommonBeginningStayApart) {
  const auto model = make_model({.architecture = "cifar_resnet110", .width = 0.125}, 0);
  const ModelSummary summary = summarize(*model);
  EXPECT_EQ(node(summary, "layer1.1").parameters, 2 * 2 * 2 * 9 + 4 * 2);
  EXPECT_EQ(node(summary, "layer1.1").macs, node(summary, "layer1.10").macs);
}

TEST(Summary, LeavesTheModelAlone) {
  const auto model = make_model({.architecture = "resnet8x4"}, 0);
  model->to(at::kDouble);
  std::vector<at::Tensor> before;
  for (const NamedTensor& entry : model->state()) before.push_back(entry.tensor.detach().clone());
  EXPECT_EQ(summarize(*model).parameters, model->num_parameters());
  const auto after = model->state();
  for (std::size_t i = 0; i < after.size(); ++i) {
    EXPECT_TRUE(at::equal(before[i], after[i].tensor)) << after[i].name;
    EXPECT_FALSE(after[i].tensor.grad().defined());
  }
}

TEST(Summary, OfATextModel) {
  const auto model = make_text_model(
      text_config("bert",
                  {.vocab_size = 100, .hidden_size = 32, .layers = 2, .heads = 4, .max_positions = 40},
                  TextHead::masked_lm),
      1);
  const ModelSummary summary = summarize(*model);
  EXPECT_EQ(summary_tokens(*model), 40);
  const std::string layer = "bert.encoder.layer.1";
  EXPECT_EQ(node(summary, layer + ".attention.self.query").shape, (Shape{32}));
  EXPECT_EQ(node(summary, layer + ".attention.self.query").macs, 40 * 32 * 32);
  EXPECT_EQ(node(summary, layer + ".attention.self.probs").shape, (Shape{4, 40, 40}));
  EXPECT_EQ(node(summary, layer + ".attention.self.context").macs, 2 * 32 * 40 * 40);
  EXPECT_EQ(node(summary, layer).macs, 40 * 12 * 32 * 32 + 2 * 32 * 40 * 40);
  EXPECT_EQ(node(summary, layer).parameters, 12 * 32 * 32 + 9 * 32 + 4 * 32);
  EXPECT_EQ(node(summary, "head").macs, 40 * 100 * 32);
  EXPECT_EQ(summary.macs, 2 * node(summary, layer).macs + 40 * 32 * 32 + 40 * 100 * 32);
  EXPECT_EQ(summary.parameters, model->num_parameters());
}

}  // namespace
}  // namespace mgd
