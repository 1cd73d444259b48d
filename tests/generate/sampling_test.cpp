#include "mgd/generate/sampling.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "support.h"

namespace mgd {
namespace {

at::Tensor rows(const nlohmann::json& values) {  // null is a hidden token
  std::vector<float> flat;
  for (const auto& row : values)
    for (const auto& value : row) flat.push_back(value.is_null() ? -INFINITY : value.get<float>());
  return at::tensor(flat).view({static_cast<std::int64_t>(values.size()), -1});
}

void expect_rows(const at::Tensor& ours, const nlohmann::json& theirs) {
  const at::Tensor want = rows(theirs);
  ASSERT_EQ(ours.sizes(), want.sizes());
  EXPECT_TRUE(ours.isinf().equal(want.isinf()));
  EXPECT_LT((ours - want).nan_to_num(0, 0, 0).abs().max().item<double>(), 2e-5);
}

// Pearson's statistic of `draws` draws from the row `logits` against the probabilities of `reference`.
double chi_square(const at::Tensor& logits, const at::Tensor& reference, std::int64_t num_draws,
                  std::int64_t& degrees) {
  std::vector<DrawPlace> places;
  for (std::int64_t i = 0; i < num_draws; ++i)
    places.push_back({static_cast<std::uint64_t>(i % 100), static_cast<std::uint32_t>(i / 100)});
  std::vector<double> counts(static_cast<std::size_t>(logits.size(0)));
  for (const std::int64_t id : draw(logits.expand({num_draws, -1}), 5, places))
    ++counts[static_cast<std::size_t>(id)];
  const at::Tensor probs = reference.to(at::kDouble).softmax(0);
  double statistic = 0;
  degrees = -1;
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const double mean = probs[static_cast<std::int64_t>(i)].item<double>() * static_cast<double>(num_draws);
    if (mean == 0) {
      EXPECT_EQ(counts[i], 0) << "a token that was filtered out";
      continue;
    }
    ++degrees;
    statistic += (counts[i] - mean) * (counts[i] - mean) / mean;
  }
  return statistic;
}

TEST(Sampling, FiltersAreThoseOfTransformers) {
  const auto& warped = expected().at("warped");
  const at::Tensor logits = rows(warped.at("logits"));
  const auto sequences = warped.at("sequences").get<std::vector<TokenIds>>();
  const auto& alone = warped.at("alone");
  expect_rows(penalise_repetition(logits, sequences, 1.7), alone.at("penalty"));
  expect_rows(tempered(logits, 0.7) + logits.amax(-1, true) / 0.7, alone.at("temperature"));
  expect_rows(keep_top_k(logits, 25), alone.at("top_k"));
  expect_rows(keep_top_p(logits, 0.9), alone.at("top_p"));
  expect_rows(keep_min_p(logits, 0.05), alone.at("min_p"));
  at::Tensor chain = penalise_repetition(logits, sequences, 1.7) / 0.7;
  chain = keep_min_p(keep_top_p(keep_top_k(chain, 25), 0.9), 0.05);
  expect_rows(chain, warped.at("chain"));
}

TEST(Sampling, FiltersAtTheirEnds) {
  const at::Tensor logits = at::tensor({{0.F}, {2.F}, {1.F}}).view({1, 3});
  const auto kept = [](const at::Tensor& t) { return t.isfinite().sum().item<std::int64_t>(); };
  EXPECT_EQ(kept(keep_top_k(logits, 1)), 1);
  EXPECT_EQ(kept(keep_top_k(logits, 100)), 3);
  EXPECT_EQ(kept(keep_top_p(logits, 0)), 1);
  EXPECT_EQ(kept(keep_top_p(logits, 1)), 3);
  EXPECT_EQ(kept(keep_min_p(logits, 1)), 1);
  EXPECT_EQ(kept(keep_top_k(at::tensor({1.F, 1.F, 0.F}).view({1, 3}), 1)), 2) << "ties stay together";
}

// However near 0, a temperature is greedy; the quotients of logits would leave the range of floats.
TEST(Sampling, ExtremeOptionsStayInRange) {
  const at::Tensor logits = at::tensor({0.F, 90.F, 89.F, -5.F}).view({1, 4});
  const TokenIds seen = {1};
  const DrawPlace place{};
  const auto next = [&](const SamplingOptions& options) {
    return next_tokens(logits, {&seen, 1}, {&place, 1}, options).front();
  };
  for (const double temperature : {1e-6, 1e-38, 1e-300, 5e-324})
    EXPECT_EQ(next({.temperature = temperature}), 1) << temperature;
  EXPECT_EQ(next({.temperature = 1e-38, .top_k = 3, .top_p = 0.5, .min_p = 0.1}), 1);
  EXPECT_EQ(next({.temperature = 1, .top_p = 0}), 1);
  EXPECT_EQ(next({.temperature = 100, .top_p = 1e-300}), 1);
  EXPECT_EQ(next({.temperature = 1, .min_p = 1}), 1);
  EXPECT_EQ(next({.repetition_penalty = 1e-300}), 1) << "what was there is likelier still";
  EXPECT_EQ(next({.repetition_penalty = 1e300}), 2);
  const at::Tensor huge = at::tensor({-3e38F, 3e38F}).view({1, 2});
  EXPECT_EQ(next_tokens(huge, {&seen, 1}, {&place, 1}, {.temperature = 1e-30}).front(), 1);
}

TEST(Sampling, ScoresThatAreNoNumbersAreRefused) {
  const DrawPlace place{};
  for (const float bad : {NAN, INFINITY}) {
    const at::Tensor logits = at::tensor({0.F, bad, 1.F}).view({1, 3});
    for (const double temperature : {0.0, 1.0})
      EXPECT_THAT(error_of(ExitCode::bad_data,
                           [&] {
                             choose(logits, {&place, 1}, {.temperature = temperature});
                           }),
                  testing::HasSubstr("NaN or infinite"));
  }
}

TEST(Sampling, DrawsFollowTheProbabilities) {
  const at::Tensor logits = rows(expected().at("warped").at("logits"))[0];
  for (const auto& filtered :
       {logits, keep_top_k(logits.unsqueeze(0), 10)[0], keep_top_p(logits.unsqueeze(0), 0.8)[0],
        keep_min_p(logits.unsqueeze(0), 0.1)[0]}) {
    std::int64_t degrees = 0;
    const double statistic = chi_square(filtered, filtered, 40'000, degrees);
    // Wilson and Hilferty's approximation of the 99.99 % quantile.
    const auto k = static_cast<double>(degrees);
    const double limit = k * std::pow(1 - 2 / (9 * k) + 3.719 * std::sqrt(2 / (9 * k)), 3);
    EXPECT_LT(statistic, limit) << degrees << " degrees of freedom";
  }
  std::int64_t degrees = 0;
  EXPECT_GT(chi_square(logits / 1.2, logits, 40'000, degrees), 1000) << "the test can tell";
}

TEST(Sampling, APlaceDrawsTheSameInAnyBatch) {
  const at::Tensor logits = rows(expected().at("warped").at("logits"));
  const std::vector<DrawPlace> places = {{0, 0}, {1, 0}, {2, 5}, {3, 1}, {4, 2}};
  const TokenIds all = draw(logits, 9, places);
  for (std::size_t i = 0; i < places.size(); ++i)
    EXPECT_EQ(draw(logits.narrow(0, static_cast<std::int64_t>(i), 1), 9, {&places[i], 1}).front(), all[i]);
}

}  // namespace
}  // namespace mgd
