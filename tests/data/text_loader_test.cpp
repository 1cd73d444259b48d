#include "mgd/data/text_loader.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "data/text_toy.h"

namespace mgd {
namespace {

// A batch that shows what it was made of: one id a token, one target a sample.
Batch show(std::span<const TextSample> samples, std::int64_t epoch) {
  std::vector<std::int64_t> ids;
  Batch batch;
  batch.tokens.offsets = {0};
  for (const TextSample& sample : samples) {
    for (const TextSequence& s : sample.sequences) {
      ids.insert(ids.end(), s.ids.begin(), s.ids.end());
      batch.tokens.offsets.push_back(static_cast<std::int64_t>(ids.size()));
    }
    batch.sample_ids.push_back(sample.id);
  }
  batch.tokens.ids = at::tensor(ids);
  batch.target = at::tensor({epoch});
  return batch;
}

class TextStream : public testing::Test {
 protected:
  TextStream() {
    for (int i = 0; i < 23; ++i)
      text += std::string(static_cast<std::size_t>(1 + i % 5), static_cast<char>('a' + i)) + "\n";
    std::vector<std::int64_t> documents(23);
    std::iota(documents.begin(), documents.end(), 0);
    const auto store = toy::store_of(folder, text, toy::bytes());
    source = document_samples({.store = store, .frame = {}, .max_length = 16}, documents);
    blocks = block_samples({.store = store, .frame = {}, .max_length = 3},
                           {.begin = 0, .end = store->num_tokens(), .moving = true});
  }
  static StreamOptions options(std::int64_t threads, std::int64_t micro = 0) {
    return {
        .batch_size = 6, .micro_batch_size = micro, .shuffle = true, .threads = threads, .prefetch_steps = 2};
  }
  static void expect_same(const StepBatches& a, const StepBatches& b) {
    EXPECT_EQ(a.epoch, b.epoch);
    EXPECT_EQ(a.step_in_epoch, b.step_in_epoch);
    ASSERT_EQ(a.micro.size(), b.micro.size());
    for (std::size_t i = 0; i < a.micro.size(); ++i) {
      EXPECT_EQ(a.micro[i].sample_ids, b.micro[i].sample_ids);
      EXPECT_EQ(a.micro[i].tokens.offsets, b.micro[i].tokens.offsets);
      EXPECT_TRUE(at::equal(a.micro[i].tokens.ids, b.micro[i].tokens.ids));
      EXPECT_TRUE(at::equal(a.micro[i].target, b.micro[i].target));
    }
  }
  const TempFolder folder;
  std::string text;
  std::shared_ptr<const TextSource> source, blocks;
};

TEST_F(TextStream, ThreadsAndSeekDoNotChangeBatches) {
  for (const TextSource* s : {source.get(), blocks.get()})
    for (const std::int64_t threads : {1, 2, 4}) {
      TextLoader plain(*s, show, options(0, 4)), threaded(*s, show, options(threads, 4));
      for (int i = 0; i < 11; ++i) expect_same(plain.next(), threaded.next());
      plain.seek(1, 2);
      threaded.seek(1, 2);
      for (int i = 0; i < 7; ++i) expect_same(plain.next(), threaded.next());
    }
}

TEST_F(TextStream, SeekIntoAnEpochEqualsReading) {
  for (const TextSource* s : {source.get(), blocks.get()}) {
    TextLoader read(*s, show, options(2)), jumped(*s, show, options(2));
    const std::int64_t steps = read.steps_per_epoch();
    for (std::int64_t i = 0; i < steps + 2; ++i) read.next();
    jumped.seek(1, 2);
    for (int i = 0; i < 5; ++i) expect_same(read.next(), jumped.next());
  }
}

TEST_F(TextStream, MicroBatchesDoNotChangeTokens) {
  TextLoader whole(*source, show, options(2));
  for (const std::int64_t micro : {1, 2, 4, 5, 100}) {
    TextLoader cut(*source, show, options(2, micro));
    whole.seek(0, 0);
    for (int s = 0; s < 4; ++s) {
      const Batch wanted = whole.next().micro.at(0);
      std::int64_t row = 0;
      std::vector<std::int64_t> samples;
      for (const Batch& part : cut.next().micro) {
        const std::int64_t n = part.tokens.num_tokens();
        EXPECT_TRUE(at::equal(part.tokens.ids, wanted.tokens.ids.narrow(0, row, n)));
        row += n;
        samples.insert(samples.end(), part.sample_ids.begin(), part.sample_ids.end());
      }
      EXPECT_EQ(row, wanted.tokens.num_tokens());
      EXPECT_EQ(samples, wanted.sample_ids);
    }
  }
}

TEST_F(TextStream, EachEpochHoldsEverySampleOnce) {
  TextLoader loader(*source, show, options(2));
  EXPECT_EQ(loader.steps_per_epoch(), 4);
  std::vector<std::vector<std::int64_t>> orders;
  for (std::int64_t epoch = 0; epoch < 3; ++epoch) {
    std::vector<std::int64_t> seen;
    std::int64_t tokens = 0;
    for (int s = 0; s < 4; ++s) {
      const StepBatches step = loader.next();
      EXPECT_EQ(step.epoch, epoch);
      for (const Batch& b : step.micro) {
        seen.insert(seen.end(), b.sample_ids.begin(), b.sample_ids.end());
        tokens += b.tokens.num_tokens();
      }
    }
    EXPECT_EQ(tokens, source->num_tokens());
    orders.push_back(seen);
    std::sort(seen.begin(), seen.end());
    std::vector<std::int64_t> all(23);
    std::iota(all.begin(), all.end(), 0);
    EXPECT_EQ(seen, all);
  }
  EXPECT_NE(orders[0], orders[1]);
}

TEST_F(TextStream, AStoreThatBreaksInUseStopsTheStream) {
  TextLoader loader(*source, show, {.batch_size = 23, .threads = 2});
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder.path()))
    if (entry.path().filename() == "tokens.bin") std::filesystem::resize_file(entry.path(), 0);
  loader.seek(5, 0);
  expect_error([&] { loader.next(); }, ExitCode::io, {"tokens.bin", "cut short"});
}

TEST_F(TextStream, AnEmptySourceIsAnError) {
  const auto none =
      block_samples({.store = toy::store_of(folder, "a", toy::bytes()), .frame = {}, .max_length = 3},
                    {.begin = 0, .end = 0});
  expect_error([&] { TextLoader(*none, show, {}); }, ExitCode::bad_data, {"no samples"});
}

}  // namespace
}  // namespace mgd
