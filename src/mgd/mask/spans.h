// Stretches of a text: how long they are, and where they lie.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/core/philox.h"
#include "mgd/mask/token_roles.h"
#include "mgd/types/text_sample.h"

namespace mgd {

// [begin, end) of something that is counted along the text; empty: a place between two.
struct Stretch {
  std::int64_t begin = 0, end = 0;
  std::int64_t length() const { return end - begin; }
  bool operator==(const Stretch&) const = default;
};

// What is hidden as a whole, as tokens of the sequence: each token by itself, or the tokens of a word. A
// special token is in no unit and ends the word before it.
std::vector<Stretch> units_of(const TextSequence& sequence, const TokenRoles& roles, bool whole_word);

// A distribution of lengths.
class SpanLengths {
 public:
  // P(l) proportional to p (1 - p)^(l - 1) for l = 1 ... longest: truncated and renormalised (SpanBERT, Joshi
  // et al. 2020, section 3.1). p in (0, 1], longest >= 1.
  static SpanLengths geometric(double p, std::int64_t longest);
  // P(l) = mean^l exp(-mean) / l! for l = 0, 1, ... (BART, Lewis et al. 2020, section 2.2).
  static SpanLengths poisson(double mean);

  std::int64_t draw(RandomStream& random) const;

 private:
  SpanLengths(std::int64_t shortest, std::vector<double> weights);
  std::int64_t shortest_;
  std::vector<double> upto_;  // P(length <= shortest + i)
};

// Exactly `hidden` of n units in stretches that do not overlap, in order. Lengths are drawn until they
// suffice, and the last one drawn is cut to fit; then every order of the stretches and the visible units is
// equally likely, so two stretches may touch. Stretches of length 0 are as many at most as keep the number of
// stretches within `hidden`. 0 <= hidden <= n; 0: no stretch.
std::vector<Stretch> draw_spans(std::int64_t n, std::int64_t hidden, const SpanLengths& lengths,
                                RandomStream& random);

// A whole number beside `value`, which is its expectation.
std::int64_t random_round(double value, RandomStream& random);

}  // namespace mgd
