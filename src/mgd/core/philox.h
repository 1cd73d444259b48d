// Counter-based random numbers: Philox4x32-10 (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3",
// SC 2011).
//
// Every random choice of the program is a pure function of (seed, purpose, step or epoch, sample, draw), so
// it depends neither on the number of threads nor on the order of work, and a resumed run needs no generator
// state.
#pragma once

#include <array>
#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

namespace mgd {

using PhiloxCounter = std::array<std::uint32_t, 4>;
using PhiloxKey = std::array<std::uint32_t, 2>;

// One block of four random words.
PhiloxCounter philox4x32(PhiloxCounter counter, PhiloxKey key);

// The key of one use of randomness, e.g. random_key(seed, "shuffle") or random_key(seed, "mask/mgd.layer3").
PhiloxKey random_key(std::uint64_t seed, std::string_view purpose);

// The stream of one (key, step, sample). Cheap to make: no state besides a counter and one block.
class RandomStream {
 public:
  RandomStream(PhiloxKey key, std::uint32_t step, std::uint64_t sample);

  // A stream from which nothing is to be drawn: whoever is handed it is asked for an outline, not for values.
  static RandomStream idle_stream() {
    RandomStream stream({}, 0, 0);
    stream.idle_ = true;
    return stream;
  }
  bool idle() const { return idle_; }

  std::uint32_t next_u32();
  std::uint64_t next_u64();
  double uniform();                          // [0, 1), 53 bits
  double uniform(double low, double high);   // [low, high)
  std::uint64_t below(std::uint64_t bound);  // 0 ... bound-1, unbiased; bound >= 1
  double normal();                           // mean 0, variance 1 (Box-Muller)

  template <class T>
  void shuffle(std::vector<T>& items) {  // Fisher-Yates
    for (std::size_t i = items.size(); i > 1; --i) std::swap(items[i - 1], items[below(i)]);
  }

 private:
  PhiloxKey key_;
  PhiloxCounter counter_;
  PhiloxCounter block_{};
  unsigned used_ = 4;
  bool idle_ = false;
};

// 0 ... n-1 in the order of (key, epoch).
std::vector<std::int64_t> random_permutation(PhiloxKey key, std::uint32_t epoch, std::int64_t n);

}  // namespace mgd
