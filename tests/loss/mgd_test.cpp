#include <ATen/TensorOperators.h>
#include <ATen/ops/all.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "loss/fixture.h"
#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"

namespace mgd {
namespace {

using namespace test;

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
const std::vector<std::string> kKinds = {"channel", "spatial", "element", "block"};

LossContext fixture_context() {
  return context_of({5, 6, 5}, {7, 6, 5});
}

class MgdFixture : public testing::Test {
 protected:
  const Tensors fixture_ = read_fixture("mgd");

  Case masked_case(const std::string& kind) const {
    Case c;
    c.keep = fixture_.at("in/keep." + kind).to(at::kBool);
    c.batch.sample_ids = {0, 1, 2};
    return c;
  }
  Case full_case(const std::string& kind) const {
    Case c = masked_case(kind);
    c.student["feat"] = fixture_.at("in/student").clone();
    c.teacher["feat"] = fixture_.at("in/teacher").clone();
    return c;
  }
};

TEST_F(MgdFixture, AgreesWithPyTorchForEveryMaskFillAndPlace) {
  for (const auto& kind : kKinds)
    for (const char* on : {"all", "hidden"})
      for (const char* fill : {"zero", "token"})
        for (const char* weight_on : {"mean", "sum"})
          for (auto dtype : {at::kDouble, at::kFloat}) {
            auto loss = make_loss(entry_of("mgd", {{"on", on}, {"fill", fill}, {"weight_on", weight_on}}),
                                  fixture_context());
            const std::string name = kind + "." + on + "." + fill;
            expect_case(*loss, masked_case(kind), fixture_, name, dtype);
            const double elements = scalar(fixture_.at(name + "/count_of_elements"));
            EXPECT_EQ(loss->count(masked_case(kind).count_input()),
                      std::string(weight_on) == "sum" ? 3 : elements)
                << name;
          }
}

// Runs the loss in double and returns sum and gradients: student's map first, then every block.
std::vector<at::Tensor> sum_and_gradients(Loss& loss, const Tensors& fixture, Case c) {
  set_blocks(loss, fixture, at::kDouble);
  for (auto& entry : loss.trainable()->parameters())
    if (entry.tensor.grad().defined()) entry.tensor.mutable_grad().zero_();
  at::Tensor student = c.student["feat"].clone().set_requires_grad(true);
  c.student["feat"] = student;
  const at::Tensor total = loss.sum(c.input());
  total.backward();
  std::vector<at::Tensor> all = {total.detach(), student.grad()};
  for (auto& entry : loss.trainable()->parameters()) all.push_back(entry.tensor.grad().clone());
  return all;
}

using MaskContract = MgdFixture;

// By hand: align everything, put zero or the token at hidden places, generate. No factor 1 / (1 - ratio)
// anywhere.
TEST_F(MaskContract, Line12_MaskActsAfterAlignmentWithoutRescaling) {
  for (const auto& kind : kKinds) {
    auto loss = make_loss(entry_of("mgd"), fixture_context());
    Case c = full_case(kind);
    set_blocks(*loss, fixture_, at::kDouble);
    const Maps seen = loss->illustrate(c.input());
    const at::Tensor aligned =
        at::conv2d(c.student["feat"], fixture_.at("in/align.weight"), fixture_.at("in/align.bias"));
    EXPECT_LT(std::abs(scalar(at::sum((seen.at("aligned") - aligned).abs()))), 1e-10);
    EXPECT_TRUE(at::equal(seen.at("masked"), at::where(c.keep, seen.at("aligned"), 0.0))) << kind;
    EXPECT_TRUE(at::equal(seen.at("teacher"), c.teacher["feat"]));
    EXPECT_EQ(seen.at("generated").sizes(), seen.at("teacher").sizes());
  }
}

TEST_F(MaskContract, Line12_LearnedTokenStandsAtHiddenPlaces) {
  auto loss = make_loss(entry_of("mgd", {{"fill", "token"}}), fixture_context());
  set_blocks(*loss, fixture_, at::kDouble);
  const Case c = full_case("spatial");
  const Maps seen = loss->illustrate(c.input());
  EXPECT_TRUE(
      at::equal(seen.at("masked"), at::where(c.keep, seen.at("aligned"), fixture_.at("in/mask_token"))));
}

// `all` = `hidden` + the same over visible places; and by default it is `all`.
TEST_F(MaskContract, Line13_WholeMapByDefaultHiddenByOption) {
  auto hidden = make_loss(entry_of("mgd", {{"on", "hidden"}}), fixture_context());
  auto fallback = make_loss(entry_of("mgd"), fixture_context());
  set_blocks(*hidden, fixture_, at::kDouble);
  set_blocks(*fallback, fixture_, at::kDouble);
  for (const auto& kind : kKinds) {
    const Case c = full_case(kind);
    const Maps seen = fallback->illustrate(c.input());
    const at::Tensor error = (seen.at("generated") - seen.at("teacher")).square();
    const double all = scalar(at::sum(error)), on_hidden = scalar(at::sum(at::where(c.keep, 0.0, error)));
    EXPECT_NEAR(scalar(fallback->sum(c.input())), all, 1e-9 * all) << kind;
    EXPECT_NEAR(scalar(hidden->sum(c.input())), on_hidden, 1e-9 * all) << kind;
    EXPECT_LT(on_hidden, all);
  }
}

TEST_F(MaskContract, Line14_RatioZeroIsPlainGeneration) {
  auto loss = make_loss(entry_of("mgd"), fixture_context());
  Case c = full_case("spatial"), plain = c;
  c.keep = at::ones({3, 1, 6, 5}, at::kBool);
  plain.keep = at::Tensor();
  const auto masked = sum_and_gradients(*loss, fixture_, c),
             unmasked = sum_and_gradients(*loss, fixture_, plain);
  for (std::size_t i = 0; i < masked.size(); ++i) EXPECT_TRUE(at::equal(masked[i], unmasked[i])) << i;
  auto hidden = make_loss(entry_of("mgd", {{"on", "hidden"}}), fixture_context());
  for (const Case& nothing_hidden : {c, plain}) {
    EXPECT_EQ(hidden->count(nothing_hidden.count_input()), 0);
    for (const auto& value : sum_and_gradients(*hidden, fixture_, nothing_hidden))
      EXPECT_EQ(scalar(at::sum(value.abs())), 0);
  }
}

// Everything hidden: what the block makes of zeros, its biases' response, whatever the student says.
TEST_F(MaskContract, Line14_RatioOneIsTheBiasesResponse) {
  auto loss = make_loss(entry_of("mgd"), fixture_context());
  for (const auto& kind : kKinds) {
    Case c = full_case(kind);
    c.keep = at::zeros_like(c.keep);
    c.student["feat"].fill_(kNaN);
    const auto got = sum_and_gradients(*loss, fixture_, c);
    const at::Tensor first =
        at::relu(fixture_.at("in/generation.0.bias")).view({1, 7, 1, 1}).expand({3, 7, 6, 5});
    const at::Tensor made =
        at::conv2d(first, fixture_.at("in/generation.2.weight"), fixture_.at("in/generation.2.bias"),
                   at::IntArrayRef{1, 1}, at::IntArrayRef{1, 1});
    const double expected = scalar(at::sum((made - c.teacher["feat"]).square()));
    EXPECT_NEAR(scalar(got[0]), expected, 1e-10 * expected) << kind;
    EXPECT_EQ(scalar(at::sum(got[1].abs())), 0);  // nothing reaches the student
    for (const auto& value : got) EXPECT_TRUE(scalar(at::all(at::isfinite(value)).to(at::kDouble)));
  }
}

// at::where against the definition, keep * align(S), on finite values: equal to the rounding of a double.
// (The fixture is written with products, so AgreesWithPyTorchForEveryMaskFillAndPlace says it for gradients,
// too.)
TEST_F(MaskContract, Line15_SkippingEqualsMultiplyingByZero) {
  auto loss = make_loss(entry_of("mgd"), fixture_context());
  for (const auto& kind : kKinds) {
    const Case c = full_case(kind);
    Case multiplied = c;
    multiplied.keep = at::Tensor();
    const auto skipped = sum_and_gradients(*loss, fixture_, c);
    // With an identity for alignment, masking after it is masking the student's map by a product.
    auto plain = make_loss(entry_of("mgd"), context_of({7, 6, 5}, {7, 6, 5}));
    set_blocks(*plain, fixture_, at::kDouble);
    const at::Tensor aligned =
        at::conv2d(c.student.at("feat"), fixture_.at("in/align.weight"), fixture_.at("in/align.bias"));
    multiplied.student["feat"] = aligned * c.keep.to(at::kDouble);
    EXPECT_NEAR(scalar(plain->sum(multiplied.input())), scalar(skipped[0]), 1e-12 * scalar(skipped[0]))
        << kind;
  }
}

// A student feature is hidden when nothing visible is made of it: its position is hidden in all aligned
// channels, or its own element when there is no alignment.
TEST_F(MaskContract, Line15_NanInHiddenFeaturesReachesNothing) {
  for (const char* fill : {"zero", "token"})
    for (const char* on : {"all", "hidden"})
      for (const auto& kind : kKinds) {
        const auto entry = entry_of("mgd", {{"fill", fill}, {"on", on}});
        Case c = full_case(kind), planted = c;
        const at::Tensor visible = c.keep.any(1, /*keepdim=*/true);
        planted.student["feat"] = at::where(visible, c.student["feat"], kNaN);
        auto aligned = make_loss(entry, fixture_context());
        const auto clean = sum_and_gradients(*aligned, fixture_, c),
                   dirty = sum_and_gradients(*aligned, fixture_, planted);
        for (std::size_t i = 0; i < clean.size(); ++i)
          EXPECT_TRUE(at::equal(clean[i], dirty[i])) << kind << i;

        auto same_channels = make_loss(entry, context_of({7, 6, 5}, {7, 6, 5}));
        c.student["feat"] = drawn({3, 7, 6, 5}, 9);
        planted.student["feat"] = at::where(c.keep, c.student["feat"], kNaN);
        const auto clean7 = sum_and_gradients(*same_channels, fixture_, c);
        const auto dirty7 = sum_and_gradients(*same_channels, fixture_, planted);
        for (std::size_t i = 0; i < clean7.size(); ++i)
          EXPECT_TRUE(at::equal(clean7[i], dirty7[i])) << kind << i;
      }
}

// In float, where hidden places are skipped: against the dense way, and Winograd's convolution within its
// error.
TEST_F(MaskContract, Line15_SkippingChangesNeitherLossNorGradients) {
  for (const auto& kind : kKinds)
    for (const char* on : {"all", "hidden"}) {
      const auto run = [&](std::vector<std::pair<std::string, std::string>> options,
                           bool skip_hidden = true) {
        options.emplace_back("on", on);
        LossContext context = fixture_context();
        context.skip_hidden = skip_hidden;
        auto loss = make_loss(entry_of("mgd", options), context);
        Case c = full_case(kind);
        set_blocks(*loss, fixture_, at::kFloat);
        at::Tensor student = c.student["feat"].to(at::kFloat).set_requires_grad(true);
        c.student["feat"] = student;
        c.teacher["feat"] = c.teacher["feat"].to(at::kFloat).contiguous(at::MemoryFormat::ChannelsLast);
        const at::Tensor total = loss->sum(c.input());
        total.backward();
        std::vector<at::Tensor> all = {total.detach(), student.grad()};
        for (auto& entry : loss->trainable()->parameters()) all.push_back(entry.tensor.grad());
        return all;
      };
      const auto dense = run({{"skip", "never"}}), skipped = run({{"skip", "always"}}), chosen = run({}),
                 winograd = run({{"winograd", "true"}}), overruled = run({{"skip", "always"}}, false);
      for (std::size_t i = 0; i < dense.size(); ++i) {
        const double scale = scalar(dense[i].abs().max());
        EXPECT_LE(scalar((skipped[i] - dense[i]).abs().max()), 2e-6 * scale) << kind << on << i;
        EXPECT_TRUE(at::equal(overruled[i], dense[i])) << "the run's word counts " << kind << on << i;
        EXPECT_LE(scalar((chosen[i] - dense[i]).abs().max()), 2e-6 * scale) << kind << on << i;
        EXPECT_LE(scalar((winograd[i] - dense[i]).abs().max()), 5e-5 * scale) << kind << on << i;
      }
    }
}

// Under autocast: no further from float than twice the dense way in bfloat16 is, and never by more than a few
// of its steps; what is hidden is NaN.
TEST_F(MaskContract, Line15_SkippingInBfloat16IsAsExactAsTheDenseWay) {
  for (const auto& kind : kKinds) {
    const auto run = [&](const char* skip, bool bf16, double hidden) {
      auto loss = make_loss(entry_of("mgd", {{"skip", skip}}), fixture_context());
      Case c = full_case(kind);
      set_blocks(*loss, fixture_, at::kFloat);
      const at::Tensor visible = c.keep.any(1, /*keepdim=*/true);
      const at::Tensor student = at::where(visible, c.student["feat"], hidden).to(at::kFloat);
      c.student["feat"] = student.set_requires_grad(true);
      c.teacher["feat"] = c.teacher["feat"].to(at::kFloat);
      at::Tensor total;
      {
        const AutocastGuard autocast(bf16, at::kCPU);
        total = loss->sum(c.input());
      }
      total.backward();
      std::vector<at::Tensor> all = {total.detach(), student.grad()};
      for (auto& entry : loss->trainable()->parameters()) all.push_back(entry.tensor.grad());
      return all;
    };
    const auto exact = run("never", false, 0), dense = run("never", true, 0),
               skipped = run("always", true, kNaN);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      EXPECT_EQ(skipped[i].scalar_type(), at::kFloat);
      const double scale = scalar(exact[i].abs().max()),
                   allowed = 2 * scalar((dense[i] - exact[i]).abs().max()) + scale / 256;
      EXPECT_LE(scalar((skipped[i] - exact[i]).abs().max()), allowed) << kind << i;
    }
  }
}

TEST(Mgd, RefusesAnUnknownWayToSkip) {
  try {
    make_loss(entry_of("mgd", {{"skip", "allways"}}), context_of({5, 6, 5}, {7, 6, 5}));
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("allways"));
    EXPECT_THAT(e.what(), testing::HasSubstr("always"));
  }
}

TEST(Mgd, AsksForItsMaskInTheWordsOfTheEntry) {
  auto loss =
      make_loss(entry_of("mgd", {{"mask", "block"}, {"weight", "2"}, {"mask_ratio", "0.25"}, {"size", "2"}}),
                context_of({5, 6, 5}, {7, 6, 5}));
  const auto* request = loss->mask_request();
  ASSERT_NE(request, nullptr);
  EXPECT_EQ(request->node.sizes, (std::vector<std::int64_t>{7, 6, 5}));
  EXPECT_EQ(request->options.fields.size(), 3U);
  EXPECT_EQ(request->options.find("mask")->scalar, "block");
  EXPECT_EQ(request->options.find("mask_ratio")->scalar, "0.25");
  EXPECT_EQ(request->options.find("mask_ratio")->origin.column, 4);
  auto plain = make_loss(entry_of("mgd"), context_of({5, 6, 5}, {7, 6, 5}));
  EXPECT_EQ(plain->mask_request()->options.kind, Node::Kind::map);
  EXPECT_TRUE(plain->mask_request()->options.fields.empty());
}

// alpha = 7e-5 of the published ImageNet recipe on 512 x 7 x 7 is 1.76 on the mean.
TEST(Mgd, DescribesBothReadingsOfTheWeight) {
  const auto context = context_of({512, 7, 7}, {512, 7, 7});
  auto published = make_loss(entry_of("mgd", {{"weight", "7e-5"}, {"weight_on", "sum"}}), context);
  EXPECT_THAT(published->describe(),
              testing::HasSubstr("student feat (512, 7, 7) -> teacher feat (512, 7, 7)"));
  EXPECT_THAT(published->describe(),
              testing::HasSubstr("weight 7e-05 on the sum (= 1.76 on the mean over 25088 elements)"));
  auto mean = make_loss(entry_of("mgd", {{"weight", "1.756"}}), context);
  EXPECT_THAT(mean->describe(),
              testing::HasSubstr("weight 1.756 on the mean (= 7e-05 on the sum over 25088 elements)"));
}

TEST(Mgd, BlocksHaveTheNamesOfThePublishedCode) {
  auto names = [](Loss& loss) {
    std::vector<std::string> all;
    for (const auto& entry : loss.trainable()->parameters()) all.push_back(entry.name);
    return all;
  };
  const std::vector<std::string> generation = {"generation.0.weight", "generation.0.bias",
                                               "generation.2.weight", "generation.2.bias"};
  EXPECT_EQ(names(*make_loss(entry_of("mgd"), context_of({7, 6, 5}, {7, 6, 5}))), generation);
  auto always = names(*make_loss(entry_of("mgd", {{"align", "always"}}), context_of({7, 6, 5}, {7, 6, 5})));
  EXPECT_EQ(always.size(), 6U);
  auto token = names(*make_loss(entry_of("mgd", {{"fill", "token"}}), context_of({5, 6, 5}, {7, 6, 5})));
  EXPECT_THAT(token, testing::IsSupersetOf({"align.weight", "align.bias", "mask_token"}));
}

}  // namespace
}  // namespace mgd
