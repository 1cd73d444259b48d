// One split of a text dataset: samples by number.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/data/text_frame.h"
#include "mgd/data/token_store.h"
#include "mgd/types/text_sample.h"

namespace mgd {

class TextSource : public std::enable_shared_from_this<TextSource> {
 public:
  virtual ~TextSource() = default;
  virtual std::int64_t size() const = 0;  // samples of every epoch
  // A function of (index, epoch) alone; thread-safe. Throws Error(io | bad_data) for a store that changed.
  virtual TextSample sample(std::int64_t index, std::int64_t epoch) const = 0;
  virtual std::int64_t num_tokens() const = 0;  // of an epoch, without the special tokens put around pieces
  virtual std::int64_t longest() const = 0;     // most tokens of one sequence, special ones included
  virtual bool moves() const { return false; }  // whether sample() depends on the epoch
  virtual std::int64_t num_cut() const { return 0; }  // rows that lose tokens, because they are too long
  // Of the targets, where they are scores.
  struct Scores {
    double least = 0, largest = 0;
  };
  virtual Scores scores() const { return {}; }
};

// What all samples of a corpus have in common.
struct TextCorpus {
  std::shared_ptr<const TokenStore> store;
  TextFrame frame;                // around every piece; empty where the store holds whole documents
  std::int64_t max_length = 128;  // tokens of a sample, special ones included
  bool cuts_left = false;         // rows that are too long lose their beginning

  // Tokens of a piece without its frame. Throws Error(usage) when none fits.
  std::int64_t capacity() const;
  TextSequence sequence(std::int64_t first, std::int64_t count, bool ends) const;
};

// Each of `documents` in pieces of at most max_length tokens. An empty document gives no sample.
std::shared_ptr<const TextSource> document_samples(TextCorpus corpus,
                                                   const std::vector<std::int64_t>& documents);

// Pieces of documents in their order, as many in one sample as fit: each is a sequence of its own, so nothing
// crosses a border.
std::shared_ptr<const TextSource> packed_samples(TextCorpus corpus,
                                                 const std::vector<std::int64_t>& documents);

// The tokens [begin, end) of the whole store, documents end to end, in blocks of max_length. `moving`: the
// grid of epoch e begins at an offset drawn from (seed, e), the same number of whole blocks in every epoch,
// so that over the epochs blocks begin everywhere (`variants` > 0: the offsets of as many epochs, in turn);
// otherwise it begins at `begin`, and the last block may be shorter. The token behind a block is its
// `next_id`; the last token of all is nothing but that.
struct BlockRange {
  std::int64_t begin = 0, end = 0;
  bool moving = false;
  std::uint64_t seed = 1;
  std::int64_t variants = 0;
};
std::shared_ptr<const TextSource> block_samples(TextCorpus corpus, BlockRange range);

// Rows with a target, one sample each: a text or a framed pair (of `pair` frames), cut to max_length at its
// end (`cuts_left`: beginning), the longer text of a pair first. `two_sequences`: the texts of a pair stand
// by themselves, each cut.
struct RowOptions {
  TextFrame pair;
  bool two_sequences = false;
  std::vector<std::int64_t> classes;  // of each label of the store; empty: targets are scores
};
std::shared_ptr<const TextSource> row_samples(TextCorpus corpus, const std::vector<std::int64_t>& rows,
                                              RowOptions options);

}  // namespace mgd
