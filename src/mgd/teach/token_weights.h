// How much each token of a vocabulary counts: frequent ones say little.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// p_i proportional to 1 / (i + 2), i = 0 ... count - 1, with the sum 1: Zipf's law for a vocabulary in the
// order of frequency.
std::vector<double> zipf_shares(std::int64_t count);

// a / (a + p_i) (Arora et al. 2017, "A simple but tough-to-beat baseline for sentence embeddings"). A token
// with p 0 has the weight 1. a > 0.
std::vector<double> smooth_weights(std::span<const double> shares, double a);

struct TokenCounts {
  std::vector<std::int64_t> counts;  // of each token
  std::int64_t num_invalid = 0;      // places that are no UTF-8, read as U+FFFD
  std::int64_t num_cut = 0;          // lines above 1 MiB, read in parts
};

// How often each token of the vocabulary is in the lines of a text file, special tokens and unknown ones
// aside. Error(bad_data) when there is none at all; throws like open_text_stream.
TokenCounts count_tokens(const fs::path& file, const Tokenizer& tokenizer);

std::vector<double> shares_of_counts(std::span<const std::int64_t> counts);

}  // namespace mgd
