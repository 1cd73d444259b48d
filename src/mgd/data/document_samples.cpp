#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/data/document_pieces.h"

namespace mgd {

std::int64_t TextCorpus::capacity() const {
  const std::int64_t capacity = max_length - frame.size();
  if (capacity < 1)
    fail(ExitCode::usage, "text.max_length: got {}, but {} special tokens stand around each text", max_length,
         frame.size());
  return capacity;
}

TextSequence TextCorpus::sequence(std::int64_t first, std::int64_t count, bool ends) const {
  TextSequence sequence = framed(frame, store->read(first, count));
  if (!ends) sequence.next_id = store->id_at(first + count);
  return sequence;
}

DocumentPieces::DocumentPieces(TextCorpus corpus, const std::vector<std::int64_t>& documents)
    : corpus_(std::move(corpus)), capacity_(corpus_.capacity()) {
  for (const std::int64_t document : documents) {
    const std::int64_t length = corpus_.store->length(document);
    if (length == 0) continue;
    documents_.push_back(document);
    first_piece_.push_back(first_piece_.back() + (length + capacity_ - 1) / capacity_);
    num_tokens_ += length;
    longest_ = std::max(longest_, std::min(length, capacity_) + corpus_.frame.size());
  }
}

DocumentPieces::Place DocumentPieces::place_of(std::int64_t piece) const {
  MGD_ASSERT(piece >= 0 && piece < size());
  const auto after = std::upper_bound(first_piece_.begin(), first_piece_.end(), piece);
  const auto i = static_cast<std::size_t>(after - first_piece_.begin()) - 1;
  const std::int64_t document = documents_[i], skipped = (piece - first_piece_[i]) * capacity_,
                     left = corpus_.store->length(document) - skipped;
  return {.first = corpus_.store->begin(document) + skipped,
          .count = std::min(left, capacity_),
          .ends = left <= capacity_};
}

std::int64_t DocumentPieces::framed_length(std::int64_t piece) const {
  return place_of(piece).count + corpus_.frame.size();
}

TextSequence DocumentPieces::sequence(std::int64_t piece) const {
  const Place place = place_of(piece);
  return corpus_.sequence(place.first, place.count, place.ends);
}

namespace {

class DocumentSamples final : public TextSource {
 public:
  DocumentSamples(TextCorpus corpus, const std::vector<std::int64_t>& documents)
      : pieces_(std::move(corpus), documents) {}

  std::int64_t size() const override { return pieces_.size(); }
  std::int64_t num_tokens() const override { return pieces_.num_tokens(); }
  std::int64_t longest() const override { return pieces_.longest(); }
  TextSample sample(std::int64_t index, std::int64_t) const override {
    TextSample sample;
    sample.id = index;
    sample.sequences.push_back(pieces_.sequence(index));
    return sample;
  }

 private:
  DocumentPieces pieces_;
};

class PackedSamples final : public TextSource {
 public:
  PackedSamples(TextCorpus corpus, const std::vector<std::int64_t>& documents)
      : pieces_(std::move(corpus), documents) {
    std::int64_t used = 0;
    for (std::int64_t piece = 0; piece < pieces_.size(); ++piece) {
      const std::int64_t length = pieces_.framed_length(piece);
      if (piece == 0 || used + length > pieces_.max_length()) {
        first_piece_.push_back(piece);
        used = 0;
      }
      used += length;
    }
    first_piece_.push_back(pieces_.size());
  }

  std::int64_t size() const override { return static_cast<std::int64_t>(first_piece_.size()) - 1; }
  std::int64_t num_tokens() const override { return pieces_.num_tokens(); }
  std::int64_t longest() const override { return pieces_.longest(); }
  TextSample sample(std::int64_t index, std::int64_t) const override {
    const auto row = static_cast<std::size_t>(index);
    TextSample sample;
    sample.id = index;
    for (std::int64_t piece = first_piece_[row]; piece < first_piece_[row + 1]; ++piece)
      sample.sequences.push_back(pieces_.sequence(piece));
    return sample;
  }

 private:
  DocumentPieces pieces_;
  std::vector<std::int64_t> first_piece_;  // of each row, and the end
};

}  // namespace

std::shared_ptr<const TextSource> document_samples(TextCorpus corpus,
                                                   const std::vector<std::int64_t>& documents) {
  return std::make_unique<DocumentSamples>(std::move(corpus), documents);
}

std::shared_ptr<const TextSource> packed_samples(TextCorpus corpus,
                                                 const std::vector<std::int64_t>& documents) {
  return std::make_unique<PackedSamples>(std::move(corpus), documents);
}

}  // namespace mgd
