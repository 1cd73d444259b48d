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
    const std::int64_t per_row = texts_per_row();
    for (const std::int64_t row : rows_)
      for (std::int64_t i = 0; i < per_row; ++i) num_tokens_ += corpus_.store->length(row * per_row + i);
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(rows_.size()); }
  std::int64_t num_tokens() const override { return num_tokens_; }

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

  TokenPiece text(std::int64_t document, std::int64_t longest) const {
    return corpus_.store->read(corpus_.store->begin(document),
                               std::min(longest, corpus_.store->length(document)));
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
  std::int64_t num_tokens_ = 0;
};

}  // namespace

std::shared_ptr<const TextSource> row_samples(TextCorpus corpus, const std::vector<std::int64_t>& rows,
                                              RowOptions options) {
  return std::make_unique<RowSamples>(std::move(corpus), rows, std::move(options));
}

}  // namespace mgd
