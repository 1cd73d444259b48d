#include "mgd/core/checked_words.h"

#include <algorithm>
#include <atomic>
#include <cstring>

namespace mgd {

namespace {

using Word = std::uint64_t;

constexpr Word kOdd = 0x9E3779B97F4A7C15;  // 2^64 / golden ratio; invertible because it is odd

Word step(Word state, Word word) {
  state = (state ^ word) * kOdd;
  return state ^ (state >> 32);
}

// Calls `word(i)` for each i, and gives the checksum of what it returned. Four chains at once, each in a
// register: a single one would wait for its multiplication at every word.
template <class F>
Word sum_over(std::size_t count, Word seed, const F& word) {
  Word a = seed, b = seed + 1, c = seed + 2, d = seed + 3;
  std::size_t i = 0;
  for (; i + 4 <= count; i += 4) {
    a = step(a, word(i));
    b = step(b, word(i + 1));
    c = step(c, word(i + 2));
    d = step(d, word(i + 3));
  }
  for (; i < count; ++i) a = step(a, word(i));
  Word sum = count;
  for (const Word chain : {a, b, c, d}) sum = step(sum, chain);
  return sum != 0 ? sum : 1;
}

}  // namespace

Word copy_from_shared(const Word* shared, Word* own, std::size_t count, Word seed) {
  return sum_over(count, seed, [&](std::size_t i) {
    // Until C++26 an atomic_ref takes no const, though it only loads here.
    return own[i] = std::atomic_ref(const_cast<Word&>(shared[i])).load(std::memory_order_relaxed);
  });
}

Word copy_to_shared(const Word* own, Word* shared, std::size_t count, Word seed) {
  return sum_over(count, seed, [&](std::size_t i) {
    std::atomic_ref(shared[i]).store(own[i], std::memory_order_relaxed);
    return own[i];
  });
}

Word checksum_of(const void* bytes, std::size_t size, Word seed) {
  const auto* from = static_cast<const char*>(bytes);
  return sum_over((size + sizeof(Word) - 1) / sizeof(Word), seed, [&](std::size_t i) {
    Word word = 0;
    std::memcpy(&word, from + i * sizeof word, std::min(sizeof word, size - i * sizeof word));
    return word;
  });
}

}  // namespace mgd
