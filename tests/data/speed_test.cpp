// Speed of the loader on real pictures; by hand:
//   MGD_BENCH_DATA=cifar10.tar.xz test_data --gtest_also_run_disabled_tests --gtest_filter='*Speed*'
#include <chrono>
#include <cstdlib>

#include "data/toy.h"

namespace mgd {
namespace {

TEST(Speed, DISABLED_ImagesPerSecond) {
  const char* path = std::getenv("MGD_BENCH_DATA");
  if (path == nullptr) GTEST_SKIP() << "MGD_BENCH_DATA names no dataset";
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  DataConfig config;
  config.path = path;
  double start = now();
  const auto splits = open_splits(config);
  fmt::print("opening {} training and {} test images: {:.2f} s\n", splits.train->size(), splits.test->size(),
             now() - start);
  start = now();
  splits.train->fingerprint();
  fmt::print("fingerprint: {:.2f} s\n", now() - start);
  for (const std::int64_t threads : {0, 1, 2}) {
    Loader loader(*splits.train, chain_of("[crop: 4, flip, cutout: 8]"),
                  {.shuffle = true, .drop_last = true, .threads = threads});
    for (const char* what : {"decoding", "from memory", "from memory again"}) {
      start = now();
      std::int64_t images = 0;
      for (std::int64_t s = 0; s < loader.steps_per_epoch(); ++s) images += loader.next().num_samples();
      const double rate = static_cast<double>(images) / (now() - start);
      fmt::print("{} threads, {}: {:.0f} images/s\n", threads, what, rate);
      EXPECT_GT(rate, 3000);
    }
  }
}

}  // namespace
}  // namespace mgd
