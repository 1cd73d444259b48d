// Token masks: the contract's lines of language models, and the batches of every objective.
#include "mgd/mask/objective.h"

#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include <map>
#include <set>

#include "expect_error.h"
#include "mask/text_toy.h"

namespace mgd {
namespace {

using testing::HasSubstr;
using toy::kCls;
using toy::kMask;
using toy::kSep;
using toy::kStop;
using toy::rows_of;
using toy::values;

Batch make(const std::string& task, const ObjectiveConfig& config, const std::vector<TextSample>& samples,
           std::int64_t epoch = 0, std::uint64_t seed = 1) {
  return make_objective(task, config, toy::roles(), seed)->make(samples, epoch);
}

std::vector<std::int64_t> all_ids(const std::vector<TextSample>& samples) {
  std::vector<std::int64_t> ids;
  for (const TextSample& sample : samples)
    for (const TextSequence& s : sample.sequences) ids.insert(ids.end(), s.ids.begin(), s.ids.end());
  return ids;
}

// What became of the hidden tokens.
struct Fates {
  std::int64_t masked = 0, changed = 0, same = 0;
  std::int64_t total() const { return masked + changed + same; }
};

Fates fates_of(const Batch& batch) {
  Fates fates;
  const auto ids = values(batch.tokens.ids), rows = rows_of(batch), target = values(batch.target);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::int64_t id = ids[static_cast<std::size_t>(rows[i])];
    (id == kMask ? fates.masked : id == target[i] ? fates.same : fates.changed)++;
  }
  return fates;
}

// Rows that are no targets hold the text; targets are the text at their rows; special tokens are never
// targets.
void expect_sound(const Batch& batch, const std::vector<TextSample>& samples) {
  const auto text = all_ids(samples), ids = values(batch.tokens.ids), rows = rows_of(batch),
             target = values(batch.target);
  ASSERT_EQ(ids.size(), text.size());
  ASSERT_EQ(rows.size(), target.size());
  std::set<std::int64_t> hidden;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    EXPECT_TRUE(i == 0 || rows[i] > rows[i - 1]);
    EXPECT_EQ(target[i], text[static_cast<std::size_t>(rows[i])]);
    EXPECT_FALSE(toy::roles().is_special(target[i]));
    hidden.insert(rows[i]);
  }
  for (std::size_t row = 0; row < ids.size(); ++row)
    if (!hidden.contains(static_cast<std::int64_t>(row))) {
      EXPECT_EQ(ids[row], text[row]);
    }
}

TEST(MaskContract, Line16_SharesOfTheBernoulliRule) {
  const auto samples = toy::samples(200, 200);
  const Batch batch = make("mlm", {}, samples);
  expect_sound(batch, samples);
  const Fates fates = fates_of(batch);
  toy::expect_binomial(fates.total(), 200 * 200, 0.15);
  toy::expect_binomial(fates.masked, fates.total(), 0.8);
  // One random token of 97 is the old one by chance.
  toy::expect_binomial(fates.changed, fates.total(), 0.1 * 96 / 97);
  toy::expect_binomial(fates.same, fates.total(), 0.1 + 0.1 / 97);
}

TEST(MaskContract, Line16_TheExactRuleHidesBertsCount) {
  ObjectiveConfig config;
  config.rule = "exact";
  for (const std::int64_t n : {1, 2, 10, 11, 200}) {
    const auto samples = toy::samples(50, n);
    const Batch batch = make("mlm", config, samples);
    expect_sound(batch, samples);
    std::map<std::int64_t, std::int64_t> counts;
    for (const std::int64_t row : rows_of(batch)) ++counts[row / (n + 2)];
    for (std::int64_t s = 0; s < 50; ++s)
      EXPECT_EQ(counts[s], std::max<std::int64_t>(1, std::llround(0.15 * static_cast<double>(n)))) << n;
  }
}

TEST(MaskContract, Line16_RandomIdsAreUniformOverTheVocabularyWithoutSpecialTokens) {
  ObjectiveConfig config;
  config.mask_ratio = 1;
  config.mask_frac = 0;
  config.random_frac = 1;
  const auto samples = toy::samples(100, 970);
  std::map<std::int64_t, std::int64_t> counts;
  for (const std::int64_t id : values(make("mlm", config, samples).tokens.ids)) ++counts[id];
  EXPECT_EQ(counts[kCls], 100);
  EXPECT_EQ(counts[kSep], 100);
  EXPECT_EQ(counts.count(kMask), 0U);
  // Chi-squared with 96 degrees of freedom: mean 96, standard deviation 13.9.
  double chi = 0;
  for (const auto& [id, count] : counts)
    if (!toy::roles().is_special(id)) chi += std::pow(static_cast<double>(count) - 1000, 2) / 1000;
  EXPECT_EQ(counts.size(), 99U);
  EXPECT_LT(chi, 96 + 5 * 13.9);
  EXPECT_GT(chi, 96 - 5 * 13.9);
}

TEST(MaskContract, Line16_EveryPositionIsHiddenEquallyOften) {
  ObjectiveConfig config;
  config.rule = "exact";
  const auto samples = toy::samples(20'000, 20);
  std::vector<std::int64_t> counts(22);
  for (const std::int64_t row : rows_of(make("mlm", config, samples)))
    ++counts[static_cast<std::size_t>(row % 22)];
  for (std::size_t t = 1; t <= 20; ++t) toy::expect_binomial(counts[t], 20'000, 0.15);
}

TEST(MaskContract, Line16_ATargetOfIdZeroCounts) {
  ObjectiveConfig config;
  config.mask_ratio = 1;
  TextSample zeros;
  zeros.sequences = {{.ids = {kCls, 0, 0, 0, kSep}, .word_start = {1, 1, 1, 1, 1}}};
  const Batch batch = make("mlm", config, {zeros});
  EXPECT_EQ(values(batch.target), (std::vector<std::int64_t>{0, 0, 0}));
  EXPECT_EQ(rows_of(batch), (std::vector<std::int64_t>{1, 2, 3}));
  EXPECT_EQ(batch.num_targets(), 3);
}

TEST(MaskContract, Line16_DynamicMasksAreFreshAndVariantsComeAgain) {
  const auto samples = toy::samples(4, 100);
  ObjectiveConfig config;
  const auto hidden = [&](std::int64_t epoch, std::uint64_t seed = 1) {
    return rows_of(make("mlm", config, samples, epoch, seed));
  };
  EXPECT_NE(hidden(0), hidden(1));
  EXPECT_NE(hidden(0), hidden(0, 2));
  EXPECT_EQ(hidden(3), hidden(3));
  config.variants = 1;
  EXPECT_EQ(hidden(0), hidden(7));
  config.variants = 3;
  EXPECT_NE(hidden(0), hidden(1));
  EXPECT_EQ(hidden(1), hidden(4));
}

TEST(MaskContract, Line17_WholeWordsAreHiddenWhole) {
  for (const char* rule : {"bernoulli", "exact"}) {
    ObjectiveConfig config;
    config.rule = rule;
    config.whole_word = true;
    const auto samples = toy::samples(300, 60);
    const Batch batch = make("mlm", config, samples);
    expect_sound(batch, samples);
    std::set<std::int64_t> hidden;
    for (const std::int64_t row : rows_of(batch)) hidden.insert(row);
    std::int64_t row = 0, words = 0, hidden_words = 0;
    for (const TextSample& sample : samples) {
      const TextSequence& s = sample.sequences[0];
      for (std::size_t t = 0; t < s.ids.size(); ++t, ++row) {
        const bool special = toy::roles().is_special(s.ids[t]);
        if (!special && s.word_start[t] == 1) {
          ++words;
          hidden_words += hidden.contains(row) ? 1 : 0;
        }
        if (!special && s.word_start[t] == 0) {
          EXPECT_EQ(hidden.contains(row), hidden.contains(row - 1)) << row;
        }
      }
    }
    if (rule == std::string("bernoulli"))
      toy::expect_binomial(hidden_words, words, 0.15);
    else
      EXPECT_EQ(hidden.size(), 300U * 9);  // 0.15 of 60; words of 1, 2 and 3 tokens always fill it
  }
}

// The whole-word rule of a word of one token and words that never fit.
TEST(MaskContract, Line17_TheExactRuleNeverExceedsItsCount) {
  ObjectiveConfig config;
  config.rule = "exact";
  config.whole_word = true;
  config.mask_ratio = 0.2;
  TextSample sample;
  sample.sequences = {{.ids = {5, 6, 7, 8, 9, 10}, .word_start = {1, 0, 0, 1, 0, 1}}};
  for (std::int64_t epoch = 0; epoch < 50; ++epoch)
    EXPECT_EQ(rows_of(make("mlm", config, {sample}, epoch)), (std::vector<std::int64_t>{5}));
}

TEST(MaskContract, Line17_SpansShareTheirFateAndKeepTheShare) {
  ObjectiveConfig config;
  config.spans = true;
  const auto samples = toy::samples(400, 200);
  for (const char* rule : {"bernoulli", "exact"}) {
    config.rule = rule;
    const Batch batch = make("mlm", config, samples);
    expect_sound(batch, samples);
    EXPECT_EQ(batch.num_targets(), 400 * 30) << rule;  // 0.15 of 200 is whole
    const Fates fates = fates_of(batch);
    // Decisions are per span: about 3.2 tokens each (the last of a text is cut), so the counts vary more than
    // those of single tokens by the root of the mean square length (about 17 / 3.2).
    const double n = static_cast<double>(fates.total());
    EXPECT_NEAR(static_cast<double>(fates.masked), 0.8 * n, 5 * std::sqrt(0.8 * 0.2 * n * 6));
    EXPECT_NEAR(static_cast<double>(fates.changed), 0.1 * n, 5 * std::sqrt(0.1 * 0.9 * n * 6));
  }
  // Within a stretch of neighbours the fate changes only where two spans touch.
  config.random_frac = 0;
  const Batch batch = make("mlm", config, samples);
  const auto ids = values(batch.tokens.ids), rows = rows_of(batch);
  std::int64_t neighbours = 0, changes = 0;
  for (std::size_t i = 1; i < rows.size(); ++i) {
    if (rows[i] != rows[i - 1] + 1) continue;
    ++neighbours;
    const auto masked = [&](std::int64_t row) { return ids[static_cast<std::size_t>(row)] == kMask; };
    changes += masked(rows[i]) != masked(rows[i - 1]) ? 1 : 0;
  }
  // Token by token it would be 2 * 0.8 * 0.2 = 0.32 of them.
  EXPECT_GT(neighbours, 5000);
  EXPECT_LT(static_cast<double>(changes), 0.04 * static_cast<double>(neighbours));
}

TEST(MaskContract, Line18_AMicroBatchWithNothingHiddenHasNoTargets) {
  ObjectiveConfig config;
  config.mask_ratio = 0;
  for (const char* rule : {"bernoulli", "exact"})
    for (const bool spans : {false, true}) {
      config.rule = rule;
      config.spans = spans;
      const auto samples = toy::samples(3, 10);
      const Batch batch = make("mlm", config, samples);
      EXPECT_EQ(batch.num_targets(), 0);
      EXPECT_EQ(batch.target_rows.numel(), 0);
      EXPECT_EQ(values(batch.tokens.ids), all_ids(samples));
    }
  // Sequences of special tokens alone, and none at all, with every ratio.
  config.mask_ratio = 1;
  EXPECT_EQ(make("mlm", config, toy::samples(2, 0)).num_targets(), 0);
  EXPECT_EQ(make("mlm", config, {}).num_targets(), 0);
  TextSample one;
  one.sequences = {{.ids = {7}, .word_start = {1}}};
  EXPECT_EQ(make("clm", {}, {one}).num_targets(), 0);
  EXPECT_EQ(make("denoise", {}, {TextSample{}}).num_targets(), 0);
}

// Each sample is treated by itself: any cut into micro-batches gives the same tokens and targets.
TEST(Objective, MicroBatchesChangeNothing) {
  const auto samples = toy::samples(12, 40);
  ObjectiveConfig config;
  for (const std::string& task : known_objectives()) {
    const auto objective = make_objective(task, config, toy::roles(), 5);
    const Batch whole = objective->make(samples, 2);
    std::vector<std::int64_t> ids, target;
    for (const std::size_t first : {0U, 5U, 6U}) {
      const std::size_t end = first == 0 ? 5 : first == 5 ? 6 : 12;
      const Batch part = objective->make({samples.data() + first, end - first}, 2);
      const auto part_ids = values(part.tokens.ids);
      ids.insert(ids.end(), part_ids.begin(), part_ids.end());
      if (task == "embed") continue;
      const auto part_target = values(part.target);
      target.insert(target.end(), part_target.begin(), part_target.end());
    }
    EXPECT_EQ(ids, values(whole.tokens.ids)) << task;
    if (task != "embed") {
      EXPECT_EQ(target, values(whole.target)) << task;
    }
  }
}

TEST(MaskContract, Line5_TheLastTokenOfADocumentNeverPredictsTheFirstOfTheNext) {
  TextSample packed;
  packed.id = 9;
  packed.sequences = {{.ids = {5, 6, 7}, .word_start = {1, 1, 1}},
                      {.ids = {8, 9}, .word_start = {1, 1}, .next_id = 0},
                      {.ids = {10}, .word_start = {1}}};
  const Batch batch = make("clm", {}, {packed});
  EXPECT_EQ(values(batch.tokens.ids), (std::vector<std::int64_t>{5, 6, 7, 8, 9, 10}));
  EXPECT_EQ(values(batch.tokens.positions), (std::vector<std::int64_t>{0, 1, 2, 0, 1, 0}));
  EXPECT_EQ(batch.tokens.offsets, (std::vector<std::int64_t>{0, 3, 5, 6}));
  EXPECT_EQ(rows_of(batch), (std::vector<std::int64_t>{0, 1, 3, 4}));
  EXPECT_EQ(values(batch.target), (std::vector<std::int64_t>{6, 7, 9, 0}));
  EXPECT_EQ(batch.sample_ids, (std::vector<std::int64_t>{9}));
  EXPECT_EQ(batch.sequence_ids.size(), static_cast<std::size_t>(batch.tokens.num_sequences()));
  EXPECT_EQ(batch.sequence_ids.at(0), 9);
  EXPECT_NE(batch.sequence_ids.at(1), batch.sequence_ids.at(2));
  EXPECT_FALSE(batch.tokens.type_ids.defined());
}

TEST(Objective, LabelsScoresAndTypesAreHandedOn) {
  TextSample pair;
  pair.sequences = {
      {.ids = {kCls, 5, kSep, 6, kSep}, .word_start = {1, 1, 1, 1, 1}, .type_ids = {0, 0, 0, 1, 1}}};
  pair.label = 2;
  const Batch classify = make("classify", {}, {toy::sample(0, 3), pair});
  EXPECT_EQ(values(classify.target), (std::vector<std::int64_t>{0, 2}));
  EXPECT_EQ(values(classify.tokens.type_ids), (std::vector<std::int64_t>{0, 0, 0, 0, 0, 0, 0, 0, 1, 1}));
  TextSample two;
  two.sequences = {toy::sequence(3), toy::sequence(2)};
  two.score = 3.8;
  const Batch embed = make("embed", {}, {two, two});
  EXPECT_EQ(embed.tokens.num_sequences(), 4);
  EXPECT_EQ(embed.size(), 2);
  EXPECT_EQ(embed.target.scalar_type(), at::kFloat);
  EXPECT_FLOAT_EQ(embed.target.const_data_ptr<float>()[1], 3.8F);
}

TEST(Objective, WhatTheVocabularyLacksIsAnError) {
  EXPECT_THAT(error_of(ExitCode::usage, [] { make_objective("mlm", {}, {}, 1); }),
              HasSubstr("no mask token"));
  TokenRoles roles;
  roles.mask = 3;
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_objective("denoise", {}, roles, 1); }),
              HasSubstr("decoder could start"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { make_objective("mml", {}, roles, 1); }),
              HasSubstr("did you mean 'mlm'"));
}

TEST(Objective, MeasuringDependsOnNeitherSeedNorEpoch) {
  const auto samples = toy::samples(3, 50);
  const auto objective = make_eval_objective("mlm", {}, toy::roles());
  EXPECT_EQ(rows_of(objective->make(samples, 0)), rows_of(objective->make(samples, 9)));
}

}  // namespace
}  // namespace mgd
