// Learning byte pair encoding's merges from counted words.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

namespace mgd {

using WordCounts = std::map<std::string, std::uint64_t>;  // sorted: the result depends on nothing else

struct MergeTraining {
  std::size_t vocab_size = 0;  // special tokens and alphabet included; the alphabet alone may be more
  std::uint64_t min_frequency = 2;
  std::size_t max_alphabet = 0;             // > 0: the most frequent characters only
  std::vector<std::string> special_tokens;  // the first ids
  std::vector<char32_t> alphabet;           // characters that are in it whether they occur or not
  std::string prefix;                       // of characters that do not begin their word ("##")
};

struct LearnedMerges {
  std::vector<std::string> vocab;  // by id
  std::vector<std::pair<std::string, std::string>> merges;
};

// The most frequent pair of neighbours becomes a token, until the vocabulary is full (Sennrich et al. 2016);
// of equally frequent ones, the pair with the lower ids. Without a prefix the result is that of the
// `tokenizers` package.
LearnedMerges learn_merges(const WordCounts& words, const MergeTraining& options);

}  // namespace mgd
