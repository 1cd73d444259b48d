// From a text file to batches: the data and the objectives together, as a run puts them.
#include <ATen/ops/equal.h>
#include <gtest/gtest.h>

#include "mgd/data/text_dataset.h"
#include "mgd/data/text_loader.h"
#include "mgd/mask/objective.h"
#include "train/toy.h"

namespace mgd {
namespace {

class TextStreams : public testing::Test {
 protected:
  TextStreams() {
    toy::write_texts(folder);
    tokenizer = std::make_unique<Tokenizer>(Tokenizer::load(folder / "tokens"));
  }

  Config config(const std::string& task, const std::string& samples) const {
    Config c;
    c.task = task;
    c.data.path = folder / "train.txt";
    c.data.validation = 0.2;
    c.text.samples = samples;
    c.text.max_length = 40;
    return c;
  }

  MakeTextBatch maker(const Config& c) const {
    const std::shared_ptr<const Objective> objective =
        make_objective(c.task, c.objective, roles_of(*tokenizer), 3);
    return
        [objective](std::span<const TextSample> s, std::int64_t epoch) { return objective->make(s, epoch); };
  }

  const toy::TempFolder folder;
  std::unique_ptr<Tokenizer> tokenizer;
};

void expect_equal(const at::Tensor& a, const at::Tensor& b) {
  ASSERT_EQ(a.defined(), b.defined());
  if (a.defined()) {
    EXPECT_TRUE(at::equal(a, b));
  }
}

void expect_same(const StepBatches& a, const StepBatches& b) {
  ASSERT_EQ(a.micro.size(), b.micro.size());
  for (std::size_t i = 0; i < a.micro.size(); ++i) {
    EXPECT_EQ(a.micro[i].sample_ids, b.micro[i].sample_ids);
    EXPECT_EQ(a.micro[i].tokens.offsets, b.micro[i].tokens.offsets);
    EXPECT_EQ(a.micro[i].decoder_tokens.offsets, b.micro[i].decoder_tokens.offsets);
    expect_equal(a.micro[i].tokens.ids, b.micro[i].tokens.ids);
    expect_equal(a.micro[i].target, b.micro[i].target);
    expect_equal(a.micro[i].target_rows, b.micro[i].target_rows);
  }
}

TEST_F(TextStreams, ThreadsAndResumeChangeNothingForAnyTask) {
  for (const char* task : {"mlm", "clm", "denoise"})
    for (const char* samples : {"documents", "packed", "blocks"}) {
      const Config c = config(task, samples);
      const TextDataset data = open_text(c, *tokenizer, folder / "cache");
      const StreamOptions options{.batch_size = 8, .micro_batch_size = 3, .shuffle = true, .drop_last = true};
      StreamOptions alone = options;
      alone.threads = 0;
      TextLoader threaded(*data.train, maker(c), options), plain(*data.train, maker(c), alone),
          resumed(*data.train, maker(c), options);
      const std::int64_t steps = plain.steps_per_epoch();
      ASSERT_GT(steps, 2) << task << " " << samples;
      for (std::int64_t s = 0; s < steps + 2; ++s) expect_same(plain.next(), threaded.next());
      resumed.seek(1, 2);
      expect_same(plain.next(), resumed.next());
    }
}

TEST_F(TextStreams, MeasuringTwiceHidesTheSame) {
  Config c = config("mlm", "documents");
  const TextDataset data = open_text(c, *tokenizer, folder / "cache");
  const std::shared_ptr<const Objective> objective =
      make_eval_objective(c.task, c.objective, roles_of(*tokenizer));
  const MakeTextBatch make = [&](std::span<const TextSample> s, std::int64_t epoch) {
    return objective->make(s, epoch);
  };
  TextLoader one(*data.validation, make, {.batch_size = 16}),
      other(*data.validation, make, {.batch_size = 16});
  other.seek(5, 0);
  std::int64_t targets = 0;
  for (std::int64_t s = 0; s < one.steps_per_epoch(); ++s) {
    const StepBatches batches = one.next();
    expect_same(batches, other.next());
    targets += batches.micro[0].num_targets();
  }
  EXPECT_NEAR(static_cast<double>(targets), 0.15 * static_cast<double>(data.validation->num_tokens()),
              0.05 * static_cast<double>(data.validation->num_tokens()));
}

// A model of text gets whole words: the tokenizer's, not the tokens'.
TEST_F(TextStreams, WholeWordsAreThoseOfTheTokenizer) {
  Config c = config("mlm", "documents");
  c.objective.whole_word = true;
  c.objective.mask_frac = 1;
  c.objective.random_frac = 0;
  c.objective.mask_ratio = 0.5;
  const TextDataset data = open_text(c, *tokenizer, folder / "cache");
  TextLoader loader(*data.train, maker(c), {.batch_size = data.train->size(), .threads = 0});
  const Batch batch = loader.next().micro.at(0);
  const auto* ids = batch.tokens.ids.const_data_ptr<std::int64_t>();
  // What is left of a word that was hidden would begin with its continuation sign.
  const std::int64_t mask = tokenizer->special_tokens().mask;
  std::int64_t hidden = 0;
  for (std::int64_t t = 1; t < batch.tokens.num_tokens(); ++t) {
    hidden += ids[t] == mask ? 1 : 0;
    if (ids[t - 1] == mask && ids[t] != mask) {
      EXPECT_FALSE(tokenizer->token_of(ids[t]).starts_with("##"));
    }
  }
  EXPECT_GT(hidden, 100);
}

}  // namespace
}  // namespace mgd
