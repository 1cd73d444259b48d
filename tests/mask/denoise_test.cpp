// BART's noise by its properties: nothing but hidden stretches is lost, and the decoder spells the text.
#include <gmock/gmock.h>

#include <algorithm>
#include <set>

#include "mask/text_toy.h"

namespace mgd {
namespace {

using toy::kCls;
using toy::kMask;
using toy::kSep;
using toy::kStop;
using toy::values;

Batch make(const ObjectiveConfig& config, const std::vector<TextSample>& samples, std::int64_t epoch = 0) {
  return make_objective("denoise", config, toy::roles(), 1)->make(samples, epoch);
}

ObjectiveConfig infilling() {
  ObjectiveConfig config;
  config.permute_sentences = 0;
  return config;
}

TEST(Denoise, TheDecoderReproducesTheText) {
  const auto samples = toy::samples(30, 50);
  const Batch batch = make({}, samples);
  EXPECT_FALSE(batch.target_rows.defined());
  const auto target = values(batch.target), read = values(batch.decoder_tokens.ids);
  std::size_t row = 0;
  for (const TextSample& sample : samples)
    for (std::size_t t = 0; t < sample.sequences[0].ids.size(); ++t, ++row) {
      EXPECT_EQ(target[row], sample.sequences[0].ids[t]);
      EXPECT_EQ(read[row], t == 0 ? kSep : target[row - 1]);
    }
  EXPECT_EQ(row, target.size());
  EXPECT_EQ(batch.decoder_tokens.num_sequences(), batch.tokens.num_sequences());
}

// Whether `damaged` is `text` with stretches replaced by one mask token each; how many tokens are gone.
bool is_infilled(const std::vector<std::int64_t>& damaged, const std::vector<std::int64_t>& text) {
  // reach: places of the text that a prefix of `damaged` can have come to.
  std::set<std::size_t> reach = {0};
  for (const std::int64_t id : damaged) {
    std::set<std::size_t> next;
    for (const std::size_t place : reach) {
      if (id == kMask)
        for (std::size_t to = place; to <= text.size(); ++to) next.insert(to);
      else if (place < text.size() && text[place] == id)
        next.insert(place + 1);
    }
    reach = std::move(next);
  }
  return reach.contains(text.size());
}

TEST(Denoise, InfillingLosesHiddenStretchesAlone) {
  const auto samples = toy::samples(200, 60);
  const Batch batch = make(infilling(), samples);
  const auto ids = values(batch.tokens.ids);
  std::int64_t masks = 0;
  for (std::size_t s = 0; s < samples.size(); ++s) {
    const auto begin = ids.begin() + batch.tokens.offsets[s], end = ids.begin() + batch.tokens.offsets[s + 1];
    const std::vector<std::int64_t> damaged(begin, end);
    EXPECT_TRUE(is_infilled(damaged, samples[s].sequences[0].ids)) << s;
    EXPECT_EQ(damaged.front(), kCls);
    EXPECT_EQ(damaged.back(), kSep);
    const auto here = std::count(damaged.begin(), damaged.end(), kMask);
    masks += here;
    // 0.3 of 60 are gone, and each stretch left a mask.
    EXPECT_EQ(static_cast<std::int64_t>(damaged.size()), 62 - 18 + here);
  }
  // Lengths with mean 3 whose last is cut at 18: between 18 / 3 and one more.
  EXPECT_NEAR(static_cast<double>(masks) / 200, 6.5, 0.5);
}

TEST(Denoise, NoRatioOrAllOfItIsDefined) {
  ObjectiveConfig config = infilling();
  const auto samples = toy::samples(5, 20);
  config.mask_ratio = 0;
  EXPECT_EQ(values(make(config, samples).tokens.ids), values(make(config, samples).target));
  config.mask_ratio = 1;
  for (const std::int64_t id : values(make(config, samples).tokens.ids))
    EXPECT_TRUE(id == kMask || id == kCls || id == kSep);
}

TEST(Denoise, TheEncoderNeverGetsMoreThanTheText) {
  ObjectiveConfig config = infilling();
  config.span_mean = 0.5;  // insertions galore
  for (const std::int64_t n : {1, 2, 3, 10}) {
    for (std::int64_t epoch = 0; epoch < 200; ++epoch)
      EXPECT_LE(make(config, toy::samples(1, n), epoch).tokens.num_tokens(), n + 2);
  }
}

TEST(Denoise, InsertionsHappenAtThePoissonRate) {
  ObjectiveConfig config = infilling();
  config.mask_ratio = 0.3;
  std::int64_t masks = 0, gone = 0;
  const auto samples = toy::samples(2000, 100);
  const Batch batch = make(config, samples);
  for (const std::int64_t id : values(batch.tokens.ids)) masks += id == kMask ? 1 : 0;
  gone = 2000 * 30;
  // E[number of stretches] of a renewal process with Poisson(3) steps up to 30 is about 30 / 3 + 1 / 2 (1 +
  // var / mean^2) = 10.67; without stretches of length 0 the mean step would be 3.16 and the number 10.1.
  EXPECT_NEAR(static_cast<double>(masks) / 2000, 10.67, 0.2);
  EXPECT_EQ(batch.tokens.num_tokens(), 2000 * 102 - gone + masks);
}

TEST(Denoise, SentencesChangePlacesWhole) {
  ObjectiveConfig config;
  config.mask_ratio = 0;
  TextSample sample;
  sample.sequences = {{.ids = {kCls, 10, 11, kStop, 20, kStop, 30, 31, 32, kSep},
                       .word_start = std::vector<std::uint8_t>(10, 1)}};
  const std::set<std::vector<std::int64_t>> sentences = {{10, 11, kStop}, {20, kStop}, {30, 31, 32}};
  std::set<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 100; ++epoch) {
    const auto ids = values(make(config, {sample}, epoch).tokens.ids);
    ASSERT_EQ(ids.size(), 10U);
    EXPECT_EQ(ids.front(), kCls);
    EXPECT_EQ(ids.back(), kSep);
    for (const auto& s : sentences)
      EXPECT_NE(std::search(ids.begin(), ids.end(), s.begin(), s.end()), ids.end());
    orders.insert(ids);
  }
  EXPECT_EQ(orders.size(), 6U);
  config.permute_sentences = 0;
  EXPECT_EQ(values(make(config, {sample}).tokens.ids), sample.sequences[0].ids);
}

}  // namespace
}  // namespace mgd
