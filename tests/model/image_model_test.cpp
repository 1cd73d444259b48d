#include "mgd/model/image_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <fmt/core.h>
#include <gmock/gmock.h>

#include <functional>
#include <set>

#include "mgd/core/error.h"
#include "mgd/model/residual.h"
#include "model/support.h"

namespace mgd {
namespace {

using testing::HasSubstr;

std::string usage_error(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "no error";
}

std::string refusal(const ModelSpec& spec) {
  return usage_error([&] { make_model(spec, 0); });
}

TEST(ImageModel, RefusesUnknownNamesAndNumbers) {
  EXPECT_THAT(refusal({.architecture = "resnet65"}), HasSubstr("'resnet65'; did you mean 'resnet"));
  EXPECT_THAT(refusal({.architecture = "cifar_resnet57"}), HasSubstr("did you mean 'cifar_resnet"));
  EXPECT_THAT(refusal({.architecture = "wrn_41_2"}), HasSubstr("got 41, expected 4 + 6 n"));
  EXPECT_THAT(refusal({.architecture = "wrn_41_2"}), HasSubstr("did you mean 'wrn_40_2'"));
  EXPECT_THAT(refusal({.architecture = "wrn_4_2"}), HasSubstr("got 4"));
  EXPECT_THAT(refusal({.architecture = "wrn_40_99"}), HasSubstr("width 99"));
  EXPECT_THAT(refusal({.architecture = "wrn_40_"}), HasSubstr("did you mean"));
  EXPECT_THAT(refusal({.architecture = "x"}), HasSubstr("known: cifar_resnet8"));
  EXPECT_THAT(refusal({.architecture = "resnet18", .num_classes = 0}), HasSubstr("num_classes: got 0"));
  EXPECT_THAT(refusal({.architecture = "resnet18", .in_channels = -1}), HasSubstr("in_channels: got -1"));
  EXPECT_THAT(refusal({.architecture = "resnet18", .width = 0}), HasSubstr("width: got 0"));
}

TEST(ImageModel, RefusesInputOfAnotherShape) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 0);
  auto message = [&](at::IntArrayRef shape) {
    return usage_error([&] {
      Forward forward;
      model->forward(at::zeros(shape), forward);
    });
  };
  EXPECT_THAT(message({2, 1, 8, 8}), HasSubstr("(2, 1, 8, 8), expected numbers (batch, 3, height, width)"));
  EXPECT_THAT(message({3, 8, 8}), HasSubstr("(3, 8, 8)"));
  EXPECT_THAT(message({0, 3, 8, 8}), HasSubstr("(0, 3, 8, 8)"));
}

// What halves a map and rounds down has a smallest picture; everything else takes any.
TEST(ImageModel, RefusesPicturesThatWouldVanish) {
  struct Case {
    const char* name;
    std::int64_t smallest;
  };
  for (const auto& [name, smallest] :
       {Case{"vgg11", 32}, {"vgg16_bn", 32}, {"densenet121", 29}, {"convnext_atto", 32}}) {
    const auto model = make_model({.architecture = name, .width = 0.02}, 0);
    const at::NoGradGuard no_grad;
    Forward forward;
    EXPECT_EQ(model->forward(at::zeros({1, 3, smallest, smallest + 3}), forward).size(1), 10) << name;
    const std::string message = usage_error([&] {
      Forward other;
      model->forward(at::zeros({1, 3, 40, smallest - 1}), other);
    });
    EXPECT_THAT(message, HasSubstr(fmt::format("{}: input: got pictures of 40 x {}", name, smallest - 1)));
    EXPECT_THAT(message, HasSubstr(fmt::format("at least {} x {}", smallest, smallest)));
  }
}

// Any width, number of channels and classes, and odd sizes.
TEST(ImageModel, EveryArchitectureRunsVeryNarrow) {
  for (const std::string& name : known_models()) {
    const auto model =
        make_model({.architecture = name, .num_classes = 3, .in_channels = 2, .width = 0.02}, 0);
    std::set<std::string> seen;
    Forward forward;
    forward.observe([&](const std::string& node, const at::Tensor&) {
      EXPECT_TRUE(seen.insert(node).second) << name << " passes twice: " << node;
    });
    const at::NoGradGuard no_grad;
    const at::Tensor logits = model->forward(pattern("input", {2, 2, 33, 47}).to(at::kFloat), forward);
    EXPECT_EQ(logits.sizes(), at::IntArrayRef({2, 3})) << name;
    EXPECT_TRUE(logits.isfinite().all().item<bool>()) << name;
    EXPECT_TRUE(seen.contains(model->default_tap())) << name;
    EXPECT_TRUE(seen.contains("input") && seen.contains("pool")) << name;
  }
}

TEST(ImageModel, StartDependsOnTheSeedAlone) {
  const ModelSpec spec{.architecture = "cifar_resnet8"};
  const auto a = make_model(spec, 5)->state(), b = make_model(spec, 5)->state(),
             c = make_model(spec, 6)->state();
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i].tensor, b[i].tensor)) << a[i].name;
  EXPECT_FALSE(at::equal(a[0].tensor, c[0].tensor));
}

TEST(ImageModel, TrainingReachesEveryParameterAndMovesStatistics) {
  for (const std::string name :
       {"cifar_resnet8", "resnet8x4", "wrn_10_1", "resnet50", "mobilenet_v2", "resnet26d", "seresnet18",
        "regnety_002", "vgg11_bn", "densenet121", "shufflenet_v2_x0_5", "convnext_atto"}) {
    // A squeeze to a single channel may be dead from the start.
    const double width = name.starts_with("regnety") ? 0.5 : 0.125;
    const auto model = make_model({.architecture = name, .width = width}, 3);
    Forward forward(/*training=*/true);
    const at::Tensor images = pattern("input", {4, 3, 40, 40}).to(at::kFloat);
    const at::Tensor logits = model->forward(images, forward);
    logits.square().sum().backward();
    for (const NamedTensor& entry : model->parameters())
      EXPECT_TRUE(entry.tensor.grad().defined() && entry.tensor.grad().abs().sum().item<double>() > 0)
          << name << " " << entry.name;
    for (const NamedTensor& entry : model->buffers()) {
      if (entry.name.ends_with("num_batches_tracked")) {
        EXPECT_EQ(entry.tensor.item<std::int64_t>(), 1) << entry.name;
      } else if (entry.name.ends_with("running_mean")) {
        EXPECT_GT(entry.tensor.abs().sum().item<double>(), 0) << entry.name;
      }
    }
  }
}

TEST(ImageModel, EvalLeavesBuffersUntouched) {
  const auto model = make_model({.architecture = "mobilenet_v2", .width = 0.35}, 3);
  std::vector<at::Tensor> before;
  for (const NamedTensor& entry : model->buffers()) before.push_back(entry.tensor.clone());
  Forward forward;
  model->forward(pattern("input", {2, 3, 32, 32}).to(at::kFloat), forward);
  const auto after = model->buffers();
  for (std::size_t i = 0; i < after.size(); ++i)
    EXPECT_TRUE(at::equal(before[i], after[i].tensor)) << after[i].name;
}

TEST(ImageModel, TapsHaveTheirShapes) {
  using Shape = std::vector<std::int64_t>;
  const auto model = make_model({.architecture = "cifar_resnet20"}, 0);
  const std::map<std::string, Shape> expected = {{"input", {2, 3, 32, 32}},
                                                 {"conv1", {2, 16, 32, 32}},
                                                 {"bn1", {2, 16, 32, 32}},
                                                 {"layer1.2", {2, 16, 32, 32}},
                                                 {"layer1", {2, 16, 32, 32}},
                                                 {"layer2.0.conv1", {2, 32, 16, 16}},
                                                 {"layer3.0.bn2", {2, 64, 8, 8}},
                                                 {"layer3", {2, 64, 8, 8}},
                                                 {"pool", {2, 64}},
                                                 {"linear", {2, 10}}};
  Forward forward;
  for (const auto& [name, shape] : expected) forward.capture(name);
  model->forward(at::zeros({2, 3, 32, 32}), forward);
  for (const auto& [name, shape] : expected) {
    ASSERT_TRUE(forward.captured().at(name).defined()) << name;
    EXPECT_EQ(forward.captured().at(name).sizes().vec(), shape) << name;
  }
}

// A captured activation must stay what the layer gave: a later relu may not write into it.
TEST(ImageModel, CapturedTapsAreNotOverwritten) {
  for (const std::string name :
       {"cifar_resnet8", "wrn_10_1", "resnet18", "resnet50", "mobilenet_v2", "resnet18d", "resnet50d",
        "seresnet50", "resnext50_32x4d", "regnetx_002", "regnety_002", "vgg11", "vgg11_bn", "densenet121",
        "shufflenet_v2_x1_0", "convnext_atto", "convnext_tiny"}) {
    const auto model = make_model({.architecture = name, .width = 0.25}, 1);
    std::map<std::string, at::Tensor> seen, copies;
    Forward forward;
    forward.observe([&](const std::string& node, const at::Tensor& activation) {
      EXPECT_TRUE(seen.emplace(node, activation).second) << name << " passes twice: " << node;
      copies[node] = activation.clone();
    });
    const at::NoGradGuard no_grad;
    model->forward(pattern("input", {2, 3, 40, 40}).to(at::kFloat), forward);
    for (const auto& [node, activation] : seen)
      EXPECT_TRUE(at::equal(activation, copies[node])) << name << " " << node;
    for (const NamedTensor& entry : model->parameters())
      EXPECT_TRUE(seen.contains(entry.name.substr(0, entry.name.rfind('.')))) << entry.name;
  }
}

TEST(ImageModel, EditsReachTheLogits) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 2);
  const at::Tensor images = pattern("input", {2, 3, 16, 16}).to(at::kFloat);
  Forward plain, edited;
  edited.edit("layer3", [](const at::Tensor& x) { return at::zeros_like(x); });
  edited.capture("layer3");
  const at::NoGradGuard no_grad;
  const at::Tensor a = model->forward(images, plain), b = model->forward(images, edited);
  EXPECT_GT(a[0].sub(a[1]).abs().sum().item<double>(), 0);
  EXPECT_EQ(b[0].sub(b[1]).abs().sum().item<double>(), 0);  // nothing but the bias is left
  EXPECT_EQ(edited.captured().at("layer3").abs().sum().item<double>(), 0);
}

TEST(ImageModel, BatchOfOnePixelInTrainingIsAnError) {
  const auto model = make_model({.architecture = "cifar_resnet8"}, 0);
  const std::string message = usage_error([&] {
    Forward forward(/*training=*/true);
    model->forward(at::zeros({1, 3, 4, 4}), forward);
  });
  EXPECT_THAT(message, HasSubstr("layer3.0.bn1"));
  EXPECT_THAT(message, HasSubstr("1x64x1x1"));
}

// Central differences in double, through both kinds of shortcut and batch statistics.
TEST(BasicBlock, GradientMatchesDifferences) {
  for (const Shortcut shortcut : {Shortcut::pad, Shortcut::project}) {
    RandomStream random(random_key(1, "test"), 0, 0);
    BasicBlock block({.in = 2, .out = 5, .stride = 2, .shortcut = shortcut}, random);
    block.to(at::kDouble);
    block.set_path("block");
    const at::Tensor x = pattern("x", {3, 2, 5, 4}).mul_(3);
    auto loss = [&](const at::Tensor& input) {
      Forward forward(/*training=*/true);
      const at::Tensor y = block.forward(input, forward);
      return y.mul(pattern("direction", y.sizes())).sum();
    };
    const at::Tensor leaf = x.clone().set_requires_grad(true);
    loss(leaf).backward();
    std::vector<std::pair<at::Tensor, at::Tensor>> checked = {{x, leaf.grad()}};
    for (const NamedTensor& entry : block.parameters())
      checked.emplace_back(entry.tensor.detach(), entry.tensor.grad());
    const at::NoGradGuard no_grad;
    constexpr double kStep = 1e-6;
    for (auto& [tensor, grad] : checked) {
      const at::Tensor flat = tensor.view({-1}), flat_grad = grad.reshape({-1});
      for (std::int64_t i = 0; i < flat.numel(); i += 7) {
        const double value = flat[i].item<double>();
        flat[i].fill_(value + kStep);
        const double above = loss(x).item<double>();
        flat[i].fill_(value - kStep);
        const double below = loss(x).item<double>();
        flat[i].fill_(value);
        EXPECT_NEAR(flat_grad[i].item<double>(), (above - below) / (2 * kStep), 1e-6);
      }
    }
  }
}

TEST(ImageModel, EveryKnownNameIsListedOnce) {
  const auto names = known_models();
  EXPECT_EQ(std::set<std::string>(names.begin(), names.end()).size(), names.size());
  EXPECT_THAT(names,
              testing::IsSupersetOf({"cifar_resnet56", "resnet8x4", "wrn_16_2", "resnet50", "mobilenet_v2"}));
}

}  // namespace
}  // namespace mgd
