// Every architecture tells its head: the tensors that have a row for each class, and no others.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <set>

#include "mgd/model/image_model.h"
#include "mgd/nn/layers.h"

namespace mgd {
namespace {

std::set<std::string> shapes_of(const ImageModel& model) {
  std::set<std::string> all;
  for (const NamedTensor& entry : model.state()) {
    std::string text = entry.name;
    for (const auto side : entry.tensor.sizes()) text += " " + std::to_string(side);
    all.insert(text);
  }
  return all;
}

TEST(Head, IsWhatHasARowForEachClass) {
  for (const std::string& name : known_models()) {
    // The deepest ones have the heads of their families.
    if (name.find("152") != name.npos || name.find("101") != name.npos || name.find("201") != name.npos)
      continue;
    const ModelSpec spec{.architecture = name, .num_classes = 7, .width = 0.25};
    ModelSpec other = spec;
    other.num_classes = 11;
    const auto model = make_model(spec, 1);
    const auto shapes = shapes_of(*make_model(other, 1));
    const std::string head = model->head_path();
    ASSERT_NE(model->find(head), nullptr) << name;
    for (const NamedTensor& entry : model->state()) {
      std::string text = entry.name;
      for (const auto side : entry.tensor.sizes()) text += " " + std::to_string(side);
      EXPECT_EQ(model->of_head(entry.name), !shapes.contains(text)) << name << " " << entry.name;
      if (model->of_head(entry.name)) {
        EXPECT_EQ(entry.tensor.size(0), 7) << name << " " << entry.name;
      }
    }
  }
}

TEST(Head, ALinearOneTellsWhatItIsGiven) {
  const auto model = make_model({.architecture = "mobilenet_v2", .num_classes = 3, .width = 0.25}, 1);
  const at::NoGradGuard no_grad;
  Forward forward;
  forward.keep_input_of(model->head_path());
  const at::Tensor logits = model->forward(at::zeros({2, 3, 32, 32}), forward);
  const at::Tensor input = forward.kept_input();
  ASSERT_TRUE(input.defined());
  Forward alone;
  EXPECT_TRUE(
      at::equal(dynamic_cast<Linear&>(*model->find(model->head_path())).forward(input, alone), logits));
}

}  // namespace
}  // namespace mgd
