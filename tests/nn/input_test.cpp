// What a layer is given and cannot take is the caller's mistake, told with the layer's path.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>

#include "expect_error.h"
#include "mgd/nn/autocast.h"
#include "mgd/nn/conv_norm.h"
#include "mgd/nn/text_layers.h"
#include "nn/support.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

template <class Layer>
std::string refusal(Layer& layer, const at::Tensor& x) {
  layer.set_path("layer1.it");
  Forward forward;
  const std::string message = error_of(ExitCode::usage, [&] { layer.forward(x, forward); });
  EXPECT_THAT(message, HasSubstr("layer1.it: input: got"));
  return message;
}

TEST(LayerInput, OfAConvolution) {
  RandomStream random = stream();
  Conv2d conv({.in = 4, .out = 8, .kernel = 5, .padding = 1}, random);
  EXPECT_THAT(refusal(conv, at::ones({2, 3, 8, 8})),
              AllOf(HasSubstr("float (2, 3, 8, 8)"), HasSubstr("(B, 4, Y, X)")));
  EXPECT_THAT(refusal(conv, at::ones({4, 8, 8})), HasSubstr("float (4, 8, 8)"));
  EXPECT_THAT(refusal(conv, at::ones({2, 4, 2, 8})), HasSubstr("at least 3"));
  EXPECT_THAT(refusal(conv, at::ones({2, 4, 8, 8}, at::kDouble)), HasSubstr("got double"));
  EXPECT_THAT(refusal(conv, at::ones({2, 4, 8, 8}, at::kByte)), HasSubstr("got byte"));
  EXPECT_THAT(refusal(conv, at::Tensor()), HasSubstr("got nothing"));
  const AutocastGuard autocast(true, at::kCPU);  // which chooses the type itself
  Forward forward;
  EXPECT_TRUE(conv.forward(at::ones({2, 4, 8, 8}, at::kBFloat16), forward).defined());
}

TEST(LayerInput, OfAFoldedConvolution) {
  RandomStream random = stream();
  Conv2d conv({.in = 4, .out = 8}, random);
  BatchNorm2d norm(8);
  conv.set_path("conv");
  conv.set_requires_grad(false);
  norm.set_requires_grad(false);
  const at::NoGradGuard no_grad;
  for (const at::Tensor& x :
       {at::ones({2, 3, 8, 8}), at::ones({2, 4, 8}), at::ones({2, 4, 8, 8}, at::kDouble)}) {
    Forward forward;
    EXPECT_THAT(error_of(ExitCode::usage, [&] { conv_norm(conv, norm, x, forward); }),
                HasSubstr("conv: input: got"));
  }
}

TEST(LayerInput, OfOtherLayers) {
  RandomStream random = stream();
  Linear linear(4, 8, random), first(LinearOptions{.in = 4, .out = 8, .in_first = true}, random);
  EXPECT_THAT(refusal(linear, at::ones({2, 5})),
              AllOf(HasSubstr("float (2, 5)"), HasSubstr("float (..., 4)")));
  EXPECT_THAT(refusal(first, at::ones({2, 8})), HasSubstr("(..., 4)"));
  EXPECT_THAT(refusal(linear, at::ones({2, 4}, at::kLong)), HasSubstr("got long"));
  BatchNorm2d norm(4);
  EXPECT_THAT(refusal(norm, at::ones({2, 3, 4, 4})), HasSubstr("(B, 4, Y, X)"));
  EXPECT_THAT(refusal(norm, at::ones({2, 4})), HasSubstr("float (2, 4)"));
  LayerNorm layer_norm(4, 1e-5, true);
  EXPECT_THAT(refusal(layer_norm, at::ones({2, 3})), HasSubstr("(..., 4)"));
  Embedding table(7, 4, 0.02, -1, random);
  EXPECT_THAT(refusal(table, at::ones({3})), HasSubstr("0 to 6"));
}

TEST(LayerInput, SizesOfLayersAreChecked) {
  RandomStream random = stream();
  const auto conv = [&](const Conv2dOptions& o) {
    return error_of(ExitCode::usage, [&] { Conv2d made(o, random); });
  };
  EXPECT_THAT(conv({.in = 0, .out = 8}), HasSubstr("in 0"));
  EXPECT_THAT(conv({.in = 4, .out = 8, .groups = 3}), HasSubstr("groups 3"));
  EXPECT_THAT(conv({.in = 4, .out = 8, .stride = 0}), HasSubstr("stride 0"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { Linear made(0, 8, random); }), HasSubstr("width of 0"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { Dropout made(1.5); }), HasSubstr("1.5"));
}

TEST(Forward, ATapThatNoNodePassedIsAnError) {
  RandomStream random = stream();
  Linear linear(4, 8, random);
  linear.set_path("fc");
  Forward forward;
  forward.capture("fc");
  forward.capture("fd");
  linear.forward(at::ones({2, 4}), forward);
  EXPECT_EQ(forward.not_passed(), std::vector<std::string>{"fd"});
  EXPECT_THAT(error_of(ExitCode::usage, [&] { forward.captured(); }), HasSubstr("'fd'"));
}

}  // namespace
}  // namespace mgd
