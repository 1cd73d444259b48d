#include "mgd/data/loader.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/item.h>
#include <ATen/ops/max.h>
#include <ATen/ops/sum.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <numeric>
#include <thread>

#include "data/toy.h"
#include "expect_error.h"

namespace mgd {
namespace {

AugmentChain chain() {
  return chain_of("[crop, flip, cutout, mixup, cutmix]");
}

LoaderOptions options(std::int64_t threads, std::int64_t micro = 0) {
  return {
      .batch_size = 6, .micro_batch_size = micro, .shuffle = true, .threads = threads, .prefetch_steps = 2};
}

void expect_same(const StepBatches& a, const StepBatches& b) {
  EXPECT_EQ(a.epoch, b.epoch);
  EXPECT_EQ(a.step_in_epoch, b.step_in_epoch);
  ASSERT_EQ(a.micro.size(), b.micro.size());
  for (std::size_t i = 0; i < a.micro.size(); ++i) {
    EXPECT_EQ(a.micro[i].sample_ids, b.micro[i].sample_ids);
    EXPECT_TRUE(at::equal(a.micro[i].input, b.micro[i].input));
    EXPECT_TRUE(at::equal(a.micro[i].target_probs, b.micro[i].target_probs));
  }
}

TEST(Loader, ThreadsAndSeekDoNotChangeBatches) {
  const Toy toy;
  for (const std::int64_t threads : {1, 2, 4}) {
    Loader plain(toy, chain(), options(0, 4)), threaded(toy, chain(), options(threads, 4));
    for (int i = 0; i < 9; ++i) expect_same(plain.next(), threaded.next());
    plain.seek(1, 2);
    threaded.seek(1, 2);
    for (int i = 0; i < 4; ++i) expect_same(plain.next(), threaded.next());
  }
}

TEST(Loader, SeekEqualsReading) {
  const Toy toy;
  Loader read(toy, chain(), options(2)), jumped(toy, chain(), options(2));
  for (int i = 0; i < 6; ++i) read.next();
  jumped.seek(1, 2);
  expect_same(read.next(), jumped.next());
}

TEST(Loader, EachEpochIsAPermutationAndTargetsSumToOne) {
  const Toy toy;
  Loader loader(toy, chain(), options(2));
  for (int epoch = 0; epoch < 2; ++epoch) {
    std::set<std::int64_t> seen;
    for (std::int64_t s = 0; s < loader.steps_per_epoch(); ++s) {
      const auto step = loader.next();
      for (const auto& b : step.micro) {
        seen.insert(b.sample_ids.begin(), b.sample_ids.end());
        const float* probs = b.target_probs.const_data_ptr<float>();
        for (std::int64_t i = 0; i < b.size(); ++i, probs += 3) {
          EXPECT_NEAR(probs[0] + probs[1] + probs[2], 1, 1e-6);
        }
      }
    }
    EXPECT_EQ(seen.size(), 23U);
  }
}

TEST(Loader, CorruptSampleIsReplacedAndCountedOnce) {
  const Toy toy({7});
  Loader loader(toy, {}, {.batch_size = 23, .threads = 2});
  for (int i = 0; i < 3; ++i) EXPECT_EQ(loader.next().micro[0].sample_ids[7], 8);
  EXPECT_EQ(loader.corrupt(), (std::map<std::string, std::string>{{"toy/7.png", "truncated"}}));
}

TEST(Loader, TooManyCorruptSamplesStop) {
  const Toy toy({7, 9});
  Loader loader(toy, {}, {.batch_size = 23, .threads = 2});
  try {
    loader.next();
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), ExitCode::bad_data);
    EXPECT_THAT(e.what(), testing::HasSubstr("toy/9.png"));
  }
}

// Threads read ahead: the batch that went beyond the limit may be one that nobody takes.
TEST(Loader, TheLimitOnCorruptSamplesHoldsAfterASeek) {
  const Toy toy({2, 9, 16});
  for (const std::int64_t threads : {0, 1, 2, 4}) {
    Loader loader(toy, {}, {.batch_size = 4, .shuffle = true, .threads = threads, .prefetch_steps = 16});
    int failed = 0;
    for (int round = 0; round < 3; ++round) {
      try {
        for (int step = 0; step < 6; ++step) loader.next();
      } catch (const Error& e) {
        EXPECT_EQ(e.code(), ExitCode::bad_data);
        EXPECT_THAT(e.what(), testing::HasSubstr("at most 1 allowed"));
        ++failed;
      }
      loader.seek(0, 0);
    }
    EXPECT_EQ(failed, 3) << threads << " threads";
  }
}

TEST(Loader, MeasuresLeaveACorruptSampleOut) {
  const Toy toy({7, 22});
  for (const std::int64_t threads : {0, 2}) {
    Loader loader(toy, {},
                  {.batch_size = 11, .threads = threads, .max_corrupt_frac = 0.1, .replace_corrupt = false});
    std::vector<std::int64_t> seen;
    for (const std::int64_t size : {10, 11, 0}) {
      const auto step = loader.next();
      ASSERT_EQ(step.micro.size(), 1U);
      EXPECT_EQ(step.micro[0].size(), size);
      EXPECT_EQ(step.micro[0].input.size(0), size);
      EXPECT_EQ(step.micro[0].target.size(0), size);
      for (const auto id : step.micro[0].sample_ids) seen.push_back(id);
    }
    EXPECT_EQ(seen.size(), 21U);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 8), 1);
    EXPECT_EQ(loader.corrupt().size(), 2U);
  }
}

// Rows of a step, whatever its micro-batches.
std::vector<std::pair<std::int64_t, at::Tensor>> rows_of(const StepBatches& step) {
  std::vector<std::pair<std::int64_t, at::Tensor>> rows;
  for (const auto& b : step.micro)
    for (std::int64_t i = 0; i < b.size(); ++i)
      rows.emplace_back(b.sample_ids[static_cast<std::size_t>(i)], b.input.select(0, i));
  return rows;
}

TEST(Loader, MicroBatchesDoNotChangeSamples) {
  const Toy toy;
  Loader whole(toy, chain(), options(2));
  for (const std::int64_t micro : {1, 2, 4, 5, 100}) {
    Loader cut(toy, chain(), options(2, micro));
    whole.seek(0, 0);
    for (int s = 0; s < 5; ++s) {
      const auto a = rows_of(whole.next()), b = rows_of(cut.next());
      ASSERT_EQ(a.size(), b.size());
      for (std::size_t i = 0; i < a.size(); ++i) {
        EXPECT_EQ(a[i].first, b[i].first);
        EXPECT_TRUE(at::equal(a[i].second, b[i].second));
      }
    }
  }
}

TEST(Loader, ThePartsOfRanksAreTheStep) {
  const Toy toy;
  for (const int ranks : {1, 2, 3, 5}) {
    Loader whole(toy, chain(), options(2));
    std::vector<std::unique_ptr<Loader>> parts;
    for (int rank = 0; rank < ranks; ++rank) {
      parts.push_back(std::make_unique<Loader>(toy, chain(), options(2, 2)));
      parts.back()->take_part(rank, ranks);
      EXPECT_EQ(parts.back()->steps_per_epoch(), whole.steps_per_epoch());
      parts.back()->seek(0, 1);
    }
    whole.seek(0, 1);
    for (int s = 0; s < 5; ++s) {
      const auto all = rows_of(whole.next());
      std::vector<std::pair<std::int64_t, at::Tensor>> joined;
      for (const auto& part : parts) {
        const auto rows = rows_of(part->next());
        EXPECT_FALSE(rows.empty());
        joined.insert(joined.end(), rows.begin(), rows.end());
      }
      ASSERT_EQ(joined.size(), all.size());
      for (std::size_t i = 0; i < all.size(); ++i) {
        EXPECT_EQ(joined[i].first, all[i].first);
        EXPECT_TRUE(at::equal(joined[i].second, all[i].second));
      }
    }
  }
}

TEST(Loader, APartOfNothingIsRefused) {
  const Toy toy;
  Loader loader(toy, chain(), options(0));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { loader.take_part(0, 1000); }),
              testing::HasSubstr("1000 ranks"));
}

TEST(Loader, EvaluationCoversEachSampleOnceInOrder) {
  const Toy toy;
  Loader loader(toy, {}, {.batch_size = 10, .threads = 3});
  ASSERT_EQ(loader.steps_per_epoch(), 3);
  std::vector<std::int64_t> seen, sizes;
  for (int s = 0; s < 3; ++s) {
    const auto step = loader.next();
    sizes.push_back(step.num_samples());
    for (const auto& b : step.micro) seen.insert(seen.end(), b.sample_ids.begin(), b.sample_ids.end());
  }
  std::vector<std::int64_t> all(23);
  std::iota(all.begin(), all.end(), 0);
  EXPECT_EQ(seen, all);
  EXPECT_EQ(sizes, (std::vector<std::int64_t>{10, 10, 3}));
  EXPECT_EQ(loader.next().epoch, 1);
}

TEST(Loader, DropLastLeavesTheRestOut) {
  const Toy toy;
  auto o = options(2);
  o.drop_last = true;
  Loader loader(toy, {}, o);
  EXPECT_EQ(loader.steps_per_epoch(), 3);
  for (int s = 0; s < 7; ++s) EXPECT_EQ(loader.next().num_samples(), 6);
  o.batch_size = 24;
  Loader none(toy, {}, o);
  expect_error([&] { none.next(); }, ExitCode::usage, {"24", "23"});
}

TEST(Loader, ValuesAreNormalisedInBothLayouts) {
  const Toy toy;
  for (const bool last : {true, false}) {
    Loader loader(toy, {},
                  {.batch_size = 4,
                   .threads = 1,
                   .mean = {0.1, 0.2, 0.3},
                   .std = {0.5, 0.25, 2},
                   .channels_last = last});
    const Batch b = loader.next().micro[0];
    const double mean[] = {0.1, 0.2, 0.3}, std[] = {0.5, 0.25, 2};
    EXPECT_EQ(b.input.is_contiguous(at::MemoryFormat::ChannelsLast), last);
    for (std::int64_t c = 0; c < 3; ++c)
      for (std::int64_t y = 0; y < 6; ++y)
        for (std::int64_t x = 0; x < 5; ++x)
          EXPECT_NEAR(b.input[2][c][y][x].item().toDouble(),
                      (toy.image(2).at(y, x, c) / 255.0 - mean[c]) / std[c], 1e-6);
  }
}

TEST(Loader, NormalisationOptionsAreChecked) {
  const Toy toy;
  expect_error(
      [&] {
        Loader(toy, {}, {.mean = {0.5, 0.5}});
      },
      ExitCode::usage, {"data.mean", "got 2", "expected 3"});
  expect_error([&] { Loader(toy, {}, {.std = {0}}); }, ExitCode::usage, {"data.std", "got 0"});
}

// Every mixed row is weight * sample + (1 - weight) * partner of the pure pictures, with the weights of the
// targets.
TEST(Loader, MixupMixesInputsAsItMixesTargets) {
  const Toy toy;
  Loader pure(toy, {}, {.batch_size = 23, .threads = 0}),
      mixed(toy, chain_of("[mixup: 0.4]"), {.batch_size = 23, .threads = 0});
  const Batch a = pure.next().micro[0], b = mixed.next().micro[0];
  int mixes = 0;
  for (std::int64_t i = 0; i < 23; ++i) {
    const double own = b.target_probs[i][i % 3].item().toDouble();
    if (own > 0.999) continue;  // a partner of the same class leaves no trace in the target
    ++mixes;
    bool found = false;
    for (std::int64_t p = 0; p < 23 && !found; ++p) {
      if (p % 3 == i % 3 || b.target_probs[i][p % 3].item().toDouble() == 0) continue;
      const auto wanted = a.input[i] * own + a.input[p] * (1 - own);
      found = (b.input[i] - wanted).abs().max().item().toDouble() < 1e-5;
    }
    EXPECT_TRUE(found) << i;
  }
  EXPECT_GT(mixes, 5);
}

TEST(Loader, CutmixPastesTheShareOfItsTarget) {
  const Toy toy;
  Loader pure(toy, {}, {.batch_size = 23, .threads = 0}),
      mixed(toy, chain_of("[cutmix]"), {.batch_size = 23, .threads = 0});
  const Batch a = pure.next().micro[0], b = mixed.next().micro[0];
  for (std::int64_t i = 0; i < 23; ++i) {
    const double own = b.target_probs[i][i % 3].item().toDouble();
    const double kept = (b.input[i][0] == a.input[i][0]).sum().item().toDouble() / 30;
    if (own > 0.999) continue;
    EXPECT_NEAR(kept, own, 1e-5) << i;
  }
}

TEST(Loader, ViewsRepeatForEverySeed) {
  const Toy toy;
  auto o = options(2);
  o.batch_size = 23, o.shuffle = false, o.views = 2;
  Loader first(toy, chain(), o);
  o.seed = 99;
  Loader other(toy, chain(), o);
  const auto e0 = first.next().micro[0].input, e1 = first.next().micro[0].input,
             e2 = first.next().micro[0].input;
  EXPECT_FALSE(at::equal(e0, e1));
  EXPECT_TRUE(at::equal(e0, e2));
  EXPECT_TRUE(at::equal(e0, other.next().micro[0].input));
}

TEST(Loader, SeedsAndEpochsDiffer) {
  const Toy toy;
  auto o = options(0);
  Loader a(toy, chain(), o);
  o.seed = 2;
  Loader b(toy, chain(), o);
  EXPECT_NE(a.next().micro[0].sample_ids, b.next().micro[0].sample_ids);
}

TEST(Loader, ErrorsOfThreadsComeWithTheSample) {
  for (const std::int64_t threads : {0, 1, 4}) {
    const Toy toy({}, [](std::int64_t i) {
      if (i == 11) throw std::runtime_error("decoder broke");
    });
    Loader loader(toy, {}, {.batch_size = 5, .threads = threads, .height = 6, .width = 5});
    loader.next();
    loader.next();
    expect_error([&] { loader.next(); }, ExitCode::internal, {"toy/11.png", "decoder broke"});
  }
}

TEST(Loader, DestructorDoesNotWaitForReadersOfFullQueues) {
  const Toy toy;
  for (int i = 0; i < 20; ++i) Loader(toy, chain(), options(4)).next();
}

// A read that never answers: reported with its name, and loader and source can still be let go.
TEST(Loader, StalledReadIsReportedAndLeftBehind) {
  struct Gate {
    std::mutex mutex;
    std::condition_variable changed;
    bool open = false;
  };
  const auto gate = std::make_shared<Gate>();
  auto toy = std::make_shared<const Toy>(std::set<std::int64_t>{}, [gate](std::int64_t i) {
    if (i != 7) return;
    std::unique_lock lock(gate->mutex);
    gate->changed.wait(lock, [&] { return gate->open; });
  });
  const std::weak_ptr<const Toy> left = toy;
  const auto start = std::chrono::steady_clock::now();
  {
    Loader loader(*toy, {}, {.batch_size = 5, .threads = 2, .height = 6, .width = 5, .stall_seconds = 0.3});
    loader.next();
    expect_error([&] { loader.next(); }, ExitCode::io, {"'toy/7.png'", "0.3 s"});
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(5));
  toy.reset();
  EXPECT_FALSE(left.expired()) << "the thread still reads from it";
  {
    const std::lock_guard lock(gate->mutex);
    gate->open = true;
  }
  gate->changed.notify_all();
  for (int i = 0; i < 5000 && !left.expired(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_TRUE(left.expired()) << "the thread has ended";
}

TEST(Loader, SlowReadsAreNoStall) {
  const Toy toy({}, [](std::int64_t) { std::this_thread::sleep_for(std::chrono::milliseconds(30)); });
  Loader loader(toy, {}, {.batch_size = 23, .threads = 1, .height = 6, .width = 5, .stall_seconds = 0.3});
  EXPECT_EQ(loader.next().num_samples(), 23);
}

}  // namespace
}  // namespace mgd
