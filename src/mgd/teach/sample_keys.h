// What a teacher was shown, in a few bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "mgd/data/batch_stream.h"

namespace mgd {

// How much a sample has of what a record holds; pictures: one of each.
struct SampleShape {
  std::int64_t sequences = 1, rows = 0, decoder_rows = 0, targets = 0;
};

// Where each of B samples begins, and the last ends: B + 1 each.
struct SamplePlaces {
  std::vector<std::int64_t> samples, sequences, rows, decoder_rows, targets;
  explicit SamplePlaces(const Batch& batch);
  SampleShape shape(std::int64_t sample) const;
};

// Checksums of the B samples, on whatever device and in whatever order of memory: of pictures, or of tokens
// and the rows of targets.
std::vector<std::uint64_t> sample_keys(const Batch& batch);

// Of every sample of a stream in order, in each of `num_views` views, one view after the other.
std::vector<SampleShape> sample_shapes(BatchStream& ordered, std::int64_t num_views);

}  // namespace mgd
