#include "mgd/teach/sample_keys.h"

#include <algorithm>
#include <numeric>

#include "mgd/core/checked_words.h"
#include "mgd/core/error.h"

namespace mgd {

namespace {

using Places = std::vector<std::int64_t>;

// Rows at which the samples begin whose sequences begin at `sequences`.
Places rows_of(const PackedTokens& tokens, const Places& sequences) {
  Places rows;
  for (const std::int64_t s : sequences)
    rows.push_back(tokens.offsets.empty() ? 0 : tokens.offsets.at(static_cast<std::size_t>(s)));
  return rows;
}

std::vector<std::int64_t> numbers(const at::Tensor& tensor) {
  if (!tensor.defined()) return {};
  const at::Tensor plain = tensor.to(at::kCPU, at::kLong).contiguous();
  const auto* data = plain.const_data_ptr<std::int64_t>();
  return {data, data + plain.numel()};
}

// How many targets stand in rows before each of `rows`.
Places targets_before(const std::vector<std::int64_t>& target_rows, const Places& rows) {
  MGD_ASSERT(std::is_sorted(target_rows.begin(), target_rows.end()));
  Places places;
  for (const std::int64_t row : rows)
    places.push_back(std::lower_bound(target_rows.begin(), target_rows.end(), row) - target_rows.begin());
  return places;
}

class Key {
 public:
  void add(const std::vector<std::int64_t>& values, std::int64_t begin, std::int64_t end,
           std::int64_t minus = 0) {
    std::vector<std::int64_t> piece(values.begin() + begin, values.begin() + end);
    for (std::int64_t& value : piece) value -= minus;
    sum_ = checksum_of(piece.data(), piece.size() * sizeof piece[0], sum_);
  }
  std::uint64_t sum() const { return sum_; }

 private:
  std::uint64_t sum_ = 0;
};

std::vector<std::uint64_t> keys_of_pictures(const at::Tensor& pictures) {
  // In one order of memory: which one the training has does not change the picture.
  const at::Tensor rows = pictures.to(at::kCPU).contiguous(
      pictures.dim() == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
  const auto count = static_cast<std::size_t>(rows.size(0));
  const std::size_t row_bytes = count == 0 ? 0 : rows.nbytes() / count;
  const auto* bytes = static_cast<const char*>(rows.const_data_ptr());
  std::vector<std::uint64_t> keys(count);
  for (std::size_t i = 0; i < count; ++i) keys[i] = checksum_of(bytes + i * row_bytes, row_bytes, 0);
  return keys;
}

}  // namespace

SamplePlaces::SamplePlaces(const Batch& batch) : samples(static_cast<std::size_t>(batch.size()) + 1) {
  std::iota(samples.begin(), samples.end(), std::int64_t{0});
  if (batch.tokens.num_sequences() == 0) {
    sequences = samples;
    rows = decoder_rows = targets = Places(samples.size(), 0);
    return;
  }
  sequences = sequence_offsets(batch);
  rows = rows_of(batch.tokens, sequences);
  decoder_rows = rows_of(batch.decoder_tokens, sequences);
  const Places& answering = batch.decoder_tokens.num_sequences() > 0 ? decoder_rows : rows;
  if (batch.target_type != TargetType::tokens)
    targets = Places(samples.size(), 0);
  else
    targets = batch.target_rows.defined() ? targets_before(numbers(batch.target_rows), answering) : answering;
}

SampleShape SamplePlaces::shape(std::int64_t sample) const {
  const auto of = [i = static_cast<std::size_t>(sample)](const Places& places) {
    return places[i + 1] - places[i];
  };
  return {
      .sequences = of(sequences), .rows = of(rows), .decoder_rows = of(decoder_rows), .targets = of(targets)};
}

std::vector<SampleShape> sample_shapes(BatchStream& ordered, std::int64_t num_views) {
  std::vector<SampleShape> shapes;
  for (std::int64_t view = 0; view < num_views; ++view) {
    ordered.seek(view, 0);
    for (std::int64_t step = 0; step < ordered.steps_per_epoch(); ++step)
      for (const Batch& batch : ordered.next().micro) {
        const SamplePlaces places(batch);
        for (std::int64_t i = 0; i < batch.size(); ++i) shapes.push_back(places.shape(i));
      }
  }
  return shapes;
}

std::vector<std::uint64_t> sample_keys(const Batch& batch) {
  if (batch.tokens.num_sequences() == 0) return keys_of_pictures(batch.input);
  const SamplePlaces places(batch);
  const auto ids = numbers(batch.tokens.ids), positions = numbers(batch.tokens.positions),
             decoder_ids = numbers(batch.decoder_tokens.ids);
  const bool decodes = batch.decoder_tokens.num_sequences() > 0;
  // What a batch leaves out where all its samples are alike must not tell them from those of another.
  auto types = numbers(batch.tokens.type_ids), target_rows = numbers(batch.target_rows);
  if (!batch.tokens.type_ids.defined()) types.assign(ids.size(), 0);
  if (batch.target_type == TargetType::tokens && !batch.target_rows.defined()) {
    target_rows.resize(decodes ? decoder_ids.size() : ids.size());
    std::iota(target_rows.begin(), target_rows.end(), std::int64_t{0});
  }
  std::vector<std::uint64_t> keys;
  for (std::size_t i = 0; i + 1 < places.samples.size(); ++i) {
    Key key;
    const std::int64_t row = places.rows[i], end = places.rows[i + 1];
    key.add(batch.tokens.offsets, places.sequences[i], places.sequences[i + 1] + 1, row);
    key.add(ids, row, end);
    key.add(types, row, end);
    key.add(positions, row, end);
    if (decodes) key.add(decoder_ids, places.decoder_rows[i], places.decoder_rows[i + 1]);
    key.add(target_rows, places.targets[i], places.targets[i + 1], decodes ? places.decoder_rows[i] : row);
    keys.push_back(key.sum());
  }
  return keys;
}

}  // namespace mgd
