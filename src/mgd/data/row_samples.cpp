#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/data/text_source.h"

namespace mgd {

namespace {

class RowSamples final : public TextSource {
 public:
  RowSamples(TextCorpus corpus, const std::vector<std::int64_t>& rows, RowOptions options)
      : corpus_(std::move(corpus)), rows_(rows), options_(std::move(options)) {
    corpus_.capacity();
    if (is_framed_pair() && corpus_.max_length < options_.pair.size() + 2)
      fail(ExitCode::usage, "text.max_length: got {}, but {} special tokens stand around each pair",
           corpus_.max_length, options_.pair.size());
    for (const std::int64_t row : rows_) see(row);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t num_tokens() const override { return num_tokens_; }
  std::int64_t longest() const override { return std::min(longest_, corpus_.max_length); }
  std::int64_t num_cut() const override { return num_cut_; }
  Scores scores() const override { return scores_; }

  TextSample sample(std::int64_t index, std::int64_t) const override {
    const std::int64_t row = rows_[static_cast<std::size_t>(index)], first = row * texts_per_row();
    TextSample sample;
    sample.id = index;
    if (is_framed_pair()) {
      sample.sequences.push_back(pair(first));
    } else {
      for (std::int64_t i = 0; i < texts_per_row(); ++i)
        sample.sequences.push_back(framed(corpus_.frame, text(first + i, corpus_.capacity())));
    }
    const TokenStore& store = *corpus_.store;
    if (!store.info().has_targets) return sample;
    if (options_.classes.empty())
      sample.score = store.target(row);
    else
      sample.label = options_.classes.at(static_cast<std::size_t>(store.target(row)));
    return sample;
  }

 private:
  std::int64_t texts_per_row() const { return corpus_.store->info().texts_per_row; }
  bool is_framed_pair() const { return texts_per_row() == 2 && !options_.two_sequences; }

  // Counts what the row means for the limits.
  void see(std::int64_t row) {
    const TokenStore& store = *corpus_.store;
    const std::int64_t first = row * texts_per_row();
    const std::int64_t frame = is_framed_pair() ? options_.pair.size() : corpus_.frame.size();
    std::int64_t length = store.length(first) + frame, tokens = std::min(length, corpus_.max_length) - frame;
    if (is_framed_pair()) {
      length += store.length(first + 1);
      tokens = std::min(length, corpus_.max_length) - frame;
    } else if (texts_per_row() == 2) {
      const std::int64_t second = store.length(first + 1) + frame;
      tokens += std::min(second, corpus_.max_length) - frame;
      length = std::max(length, second);
    }
    num_tokens_ += tokens;
    longest_ = std::max(longest_, length);
    num_cut_ += length > corpus_.max_length ? 1 : 0;
    if (!store.info().has_targets || !options_.classes.empty()) return;
    const bool is_first = row == rows_.front();
    scores_.least = is_first ? store.target(row) : std::min(scores_.least, store.target(row));
    scores_.largest = is_first ? store.target(row) : std::max(scores_.largest, store.target(row));
  }

  TokenPiece text(std::int64_t document, std::int64_t longest) const {
    const std::int64_t length = corpus_.store->length(document), kept = std::min(longest, length);
    return corpus_.store->read(corpus_.store->begin(document) + (corpus_.cuts_left ? length - kept : 0),
                               kept);
  }

  // Tokens go from the longer text, as the tokenizers' longest_first does: of two texts that are both too
  // long, each keeps half.
  TextSequence pair(std::int64_t first) const {
    const std::int64_t room = corpus_.max_length - options_.pair.size(), a = corpus_.store->length(first),
                       b = corpus_.store->length(first + 1);
    const std::int64_t shorter = std::min({a, b, room / 2}), longer = room - shorter;
    const std::int64_t keep_first = a <= b ? shorter : longer, keep_second = a <= b ? longer : shorter;
    return framed(options_.pair, text(first, keep_first), text(first + 1, keep_second));
  }

  TextCorpus corpus_;
  const std::vector<std::int64_t> rows_;
  const RowOptions options_;
  std::int64_t num_tokens_ = 0, longest_ = 0, num_cut_ = 0;
  Scores scores_;
};

}  // namespace

std::shared_ptr<const TextSource> row_samples(TextCorpus corpus, const std::vector<std::int64_t>& rows,
                                              RowOptions options) {
  return std::make_unique<RowSamples>(std::move(corpus), rows, std::move(options));
}

}  // namespace mgd
