#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/philox.h"
#include "mgd/data/text_source.h"

namespace mgd {

namespace {

class BlockSamples final : public TextSource {
 public:
  BlockSamples(TextCorpus corpus, BlockRange range)
      : corpus_(std::move(corpus)),
        range_(range),
        length_(corpus_.capacity()),
        key_(random_key(range.seed, "blocks")) {
    MGD_ASSERT(range.begin >= 0 && range.begin <= range.end && range.end <= corpus_.store->num_tokens());
    // A single token is a block; otherwise the last one is there to be predicted only.
    const std::int64_t tokens = range.end - range.begin, inputs = tokens > 1 ? tokens - 1 : tokens;
    if (inputs == 0) return;
    if (range.moving) {
      // As many as fit behind the largest offset; where not even one does, one with what room there is.
      size_ = std::max<std::int64_t>(1, (inputs - (length_ - 1)) / length_);
      num_offsets_ = std::clamp<std::int64_t>(inputs - size_ * length_ + 1, 1, length_);
    } else {
      size_ = (inputs + length_ - 1) / length_;
    }
    inputs_ = inputs;
  }

  std::int64_t size() const override { return size_; }
  bool moves() const override { return num_offsets_ > 1; }
  std::int64_t num_tokens() const override {
    return range_.moving ? std::min(inputs_, size_ * length_) : inputs_;
  }

  std::int64_t longest() const override { return std::min(inputs_, length_); }

  TextSample sample(std::int64_t index, std::int64_t epoch) const override {
    MGD_ASSERT(index >= 0 && index < size_);
    const std::int64_t first = offset_of(epoch) + index * length_, count = std::min(length_, inputs_ - first);
    TextSample sample;
    sample.id = index;
    const std::int64_t place = range_.begin + first;
    sample.sequences.push_back(corpus_.sequence(place, count, place + count == range_.end));
    return sample;
  }

 private:
  std::int64_t offset_of(std::int64_t epoch) const {
    if (num_offsets_ <= 1) return 0;
    if (range_.variants > 0) epoch %= range_.variants;
    RandomStream random(key_, static_cast<std::uint32_t>(epoch), 0);
    return static_cast<std::int64_t>(random.below(static_cast<std::uint64_t>(num_offsets_)));
  }

  const TextCorpus corpus_;
  const BlockRange range_;
  const std::int64_t length_;
  const PhiloxKey key_;
  std::int64_t size_ = 0, inputs_ = 0, num_offsets_ = 1;
};

}  // namespace

std::shared_ptr<const TextSource> block_samples(TextCorpus corpus, BlockRange range) {
  return std::make_unique<BlockSamples>(std::move(corpus), range);
}

}  // namespace mgd
