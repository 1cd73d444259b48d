#include "mgd/text/train_merges.h"

#include <algorithm>
#include <queue>
#include <set>
#include <unordered_map>

#include "mgd/text/utf8.h"

namespace mgd {

namespace {

using Pair = std::pair<std::uint32_t, std::uint32_t>;

struct PairHash {
  std::size_t operator()(const Pair& pair) const {
    return (static_cast<std::size_t>(pair.first) << 32 | pair.second) * 0x9E3779B97F4A7C15u >> 7;
  }
};

struct Word {
  std::vector<std::uint32_t> tokens;
  std::uint64_t count = 0;
};

struct PairUse {
  std::uint64_t count = 0;
  std::vector<std::uint32_t> words;  // where it may occur, each once or more often
};

struct Candidate {
  std::uint64_t count = 0;
  Pair pair;
  bool operator<(const Candidate& other) const {
    return count != other.count ? count < other.count : pair > other.pair;
  }
};

class Learner {
 public:
  Learner(const WordCounts& words, const MergeTraining& options) : options_(options) {
    for (const std::string& token : options.special_tokens) id_of(token);
    const std::set<char32_t> alphabet = choose_alphabet(words);
    for (const char32_t c : alphabet) id_of(to_utf8(c));
    for (const auto& [text, count] : words) add_word(text, count, alphabet);
    for (std::uint32_t w = 0; w < words_.size(); ++w) count_pairs(w);
    for (const auto& [pair, use] : uses_) queue_.push({use.count, pair});
  }

  LearnedMerges run() {
    while (out_.vocab.size() < options_.vocab_size && !queue_.empty()) {
      const Candidate top = queue_.top();
      queue_.pop();
      // A count that has sunk since goes back to its place; one that has risen was queued again.
      const std::uint64_t count = uses_[top.pair].count;
      if (top.count != count) {
        if (count > 0 && count < top.count) queue_.push({count, top.pair});
        continue;
      }
      if (count == 0 || count < options_.min_frequency) break;
      merge(top.pair);
    }
    return std::move(out_);
  }

 private:
  std::uint32_t id_of(const std::string& token) {
    const auto [found, fresh] = ids_.emplace(token, static_cast<std::uint32_t>(out_.vocab.size()));
    if (fresh) out_.vocab.push_back(token);
    return found->second;
  }

  std::set<char32_t> choose_alphabet(const WordCounts& words) const {
    std::map<char32_t, std::uint64_t> counts;
    for (const auto& [text, count] : words)
      for (std::size_t at = 0; at < text.size();) counts[next_code_point(text, at)] += count;
    std::vector<std::pair<std::uint64_t, char32_t>> ranked;
    for (const auto& [c, count] : counts) ranked.emplace_back(count, c);
    std::stable_sort(ranked.begin(), ranked.end(),
                     [](const auto& a, const auto& b) { return a.first > b.first; });
    if (options_.max_alphabet > 0 && ranked.size() > options_.max_alphabet)
      ranked.resize(options_.max_alphabet);
    std::set<char32_t> out(options_.alphabet.begin(), options_.alphabet.end());
    for (const auto& [count, c] : ranked) out.insert(c);
    return out;
  }

  void add_word(const std::string& text, std::uint64_t count, const std::set<char32_t>& alphabet) {
    Word word{.count = count};
    for (std::size_t at = 0; at < text.size();) {
      const bool first = at == 0;
      const char32_t c = next_code_point(text, at);
      if (alphabet.contains(c)) word.tokens.push_back(id_of((first ? "" : options_.prefix) + to_utf8(c)));
    }
    words_.push_back(std::move(word));
  }

  void count_pairs(std::uint32_t w) {
    const Word& word = words_[w];
    for (std::size_t i = 0; i + 1 < word.tokens.size(); ++i) {
      PairUse& use = uses_[{word.tokens[i], word.tokens[i + 1]}];
      use.count += word.count;
      if (use.words.empty() || use.words.back() != w) use.words.push_back(w);
    }
  }

  void merge(const Pair& pair) {
    const std::string &left = out_.vocab[pair.first], &right = out_.vocab[pair.second];
    const bool continues = !options_.prefix.empty() && right.starts_with(options_.prefix);
    out_.merges.emplace_back(left, right);
    const std::uint32_t joined = id_of(left + (continues ? right.substr(options_.prefix.size()) : right));
    std::set<Pair> risen;
    std::vector<std::uint32_t> places = std::move(uses_[pair].words);
    std::sort(places.begin(), places.end());
    places.erase(std::unique(places.begin(), places.end()), places.end());
    for (const std::uint32_t w : places) merge_in(w, pair, joined, risen);
    uses_[pair].count = 0;
    for (const Pair& fresh : risen)
      if (const std::uint64_t count = uses_[fresh].count; count > 0) queue_.push({count, fresh});
  }

  void merge_in(std::uint32_t w, const Pair& pair, std::uint32_t joined, std::set<Pair>& risen) {
    Word& word = words_[w];
    std::vector<std::uint32_t> merged;
    for (std::size_t i = 0; i < word.tokens.size(); ++i) {
      const bool here =
          word.tokens[i] == pair.first && i + 1 < word.tokens.size() && word.tokens[i + 1] == pair.second;
      merged.push_back(here ? joined : word.tokens[i]);
      if (here) ++i;
    }
    if (merged.size() == word.tokens.size()) return;
    for (std::size_t i = 0; i + 1 < word.tokens.size(); ++i)
      uses_[{word.tokens[i], word.tokens[i + 1]}].count -= word.count;
    word.tokens = std::move(merged);
    count_pairs(w);
    for (std::size_t i = 0; i + 1 < word.tokens.size(); ++i)
      if (word.tokens[i] == joined || word.tokens[i + 1] == joined)
        risen.insert({word.tokens[i], word.tokens[i + 1]});
  }

  const MergeTraining& options_;
  LearnedMerges out_;
  std::unordered_map<std::string, std::uint32_t> ids_;
  std::vector<Word> words_;
  std::unordered_map<Pair, PairUse, PairHash> uses_;
  std::priority_queue<Candidate> queue_;
};

}  // namespace

LearnedMerges learn_merges(const WordCounts& words, const MergeTraining& options) {
  return Learner(words, options).run();
}

}  // namespace mgd
