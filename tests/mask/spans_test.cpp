#include "mgd/mask/spans.h"

#include <gmock/gmock.h>

#include "mask/text_toy.h"

namespace mgd {
namespace {

RandomStream stream(std::uint64_t sample = 0) {
  return {random_key(3, "test"), 0, sample};
}

double mean_of(const SpanLengths& lengths, std::int64_t n, std::int64_t& longest) {
  RandomStream random = stream();
  double sum = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t length = lengths.draw(random);
    sum += static_cast<double>(length);
    longest = std::max(longest, length);
  }
  return sum / static_cast<double>(n);
}

TEST(MaskContract, Line17_GeometricLengthsAreTruncatedAndRenormalised) {
  std::int64_t longest = 0;
  double weights = 0, mean = 0;
  for (int l = 1; l <= 10; ++l) {
    weights += 0.2 * std::pow(0.8, l - 1);
    mean += l * 0.2 * std::pow(0.8, l - 1);
  }
  mean /= weights;
  EXPECT_NEAR(mean, 3.8, 0.01);  // as the paper says
  EXPECT_NEAR(mean_of(SpanLengths::geometric(0.2, 10), 40'000, longest), mean, 0.06);
  EXPECT_EQ(longest, 10);
  RandomStream random = stream();
  EXPECT_EQ(SpanLengths::geometric(1, 10).draw(random), 1);
}

TEST(Spans, PoissonLengthsHaveTheirMeanAndZeros) {
  std::int64_t longest = 0;
  EXPECT_NEAR(mean_of(SpanLengths::poisson(3), 40'000, longest), 3, 5 * std::sqrt(3.0 / 40'000));
  RandomStream random = stream();
  std::int64_t zeros = 0;
  for (int i = 0; i < 40'000; ++i) zeros += SpanLengths::poisson(3).draw(random) == 0 ? 1 : 0;
  toy::expect_binomial(zeros, 40'000, std::exp(-3.0));
}

TEST(Spans, ExactlyTheWantedUnitsAreCoveredOnce) {
  for (std::uint64_t i = 0; i < 2000; ++i) {
    RandomStream random = stream(i);
    const std::int64_t n = static_cast<std::int64_t>(i % 23),
                       hidden = n == 0 ? 0 : static_cast<std::int64_t>(i % static_cast<std::uint64_t>(n + 1));
    const auto lengths = i % 2 == 0 ? SpanLengths::poisson(3) : SpanLengths::geometric(0.2, 10);
    const auto spans = draw_spans(n, hidden, lengths, random);
    std::int64_t covered = 0, place = 0;
    for (const Stretch& span : spans) {
      EXPECT_GE(span.begin, place);
      EXPECT_LE(span.end, n);
      covered += span.length();
      place = span.end;
    }
    EXPECT_EQ(covered, hidden);
    EXPECT_LE(static_cast<std::int64_t>(spans.size()), hidden);
  }
}

// No place is preferred: not the ends, and not by the stretch that was cut to fit.
TEST(Spans, PlacesAreCoveredEvenly) {
  std::vector<double> counts(12);
  const auto lengths = SpanLengths::geometric(0.2, 10);
  constexpr int kDraws = 30'000;
  for (std::uint64_t i = 0; i < kDraws; ++i) {
    RandomStream random = stream(i);
    for (const Stretch& span : draw_spans(12, 4, lengths, random))
      for (std::int64_t u = span.begin; u < span.end; ++u) ++counts[static_cast<std::size_t>(u)];
  }
  for (std::size_t u = 0; u < 12; ++u)
    EXPECT_NEAR(counts[u], counts[11 - u], 5 * std::sqrt(2.0 * kDraws / 3)) << u;
}

TEST(Spans, UnitsAreTokensOrWordsWithoutSpecialTokens) {
  const TextSequence s{.ids = {toy::kCls, 5, 6, 7, toy::kMask, 8, 9, toy::kSep},
                       .word_start = {1, 1, 0, 1, 1, 0, 0, 1}};
  EXPECT_EQ(units_of(s, toy::roles(), false), (std::vector<Stretch>{{1, 2}, {2, 3}, {3, 4}, {5, 6}, {6, 7}}));
  // What follows a special token begins a unit, whatever its mark.
  EXPECT_EQ(units_of(s, toy::roles(), true), (std::vector<Stretch>{{1, 3}, {3, 4}, {5, 7}}));
}

TEST(Spans, RoundingKeepsTheExpectation) {
  RandomStream random = stream();
  std::int64_t sum = 0;
  for (int i = 0; i < 10'000; ++i) sum += random_round(2.3, random) - 2;
  toy::expect_binomial(sum, 10'000, 0.3);
  EXPECT_EQ(random_round(4, random), 4);
}

}  // namespace
}  // namespace mgd
