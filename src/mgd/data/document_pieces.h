// Documents cut into pieces, by number.
#pragma once

#include "mgd/data/text_source.h"

namespace mgd {

class DocumentPieces {
 public:
  DocumentPieces(TextCorpus corpus, const std::vector<std::int64_t>& documents);

  std::int64_t size() const { return first_piece_.back(); }
  std::int64_t num_tokens() const { return num_tokens_; }
  std::int64_t longest() const { return longest_; }  // tokens of a piece with its frame
  std::int64_t framed_length(std::int64_t piece) const;
  TextSequence sequence(std::int64_t piece) const;
  std::int64_t max_length() const { return corpus_.max_length; }

 private:
  struct Place {
    std::int64_t first = 0, count = 0;  // tokens of the store
    bool ends = false;                  // the document
  };
  Place place_of(std::int64_t piece) const;
  TextCorpus corpus_;
  std::int64_t capacity_, num_tokens_ = 0, longest_ = 0;
  std::vector<std::int64_t> documents_, first_piece_ = {0};  // first_piece_[i]: of documents_[i]
};

}  // namespace mgd
