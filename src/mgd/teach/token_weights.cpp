#include "mgd/teach/token_weights.h"

#include <numeric>

#include "mgd/core/error.h"
#include "mgd/data/text_pieces.h"

namespace mgd {

std::vector<double> zipf_shares(std::int64_t count) {
  std::vector<double> shares;
  shares.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) shares.push_back(1.0 / static_cast<double>(i + 2));
  const double sum = std::accumulate(shares.begin(), shares.end(), 0.0);
  for (double& share : shares) share /= sum;
  return shares;
}

std::vector<double> smooth_weights(std::span<const double> shares, double a) {
  std::vector<double> weights;
  weights.reserve(shares.size());
  for (const double share : shares) weights.push_back(a / (a + share));
  return weights;
}

TokenCounts count_tokens(const fs::path& file, const Tokenizer& tokenizer) {
  TokenCounts out;
  out.counts.assign(static_cast<std::size_t>(tokenizer.vocab_size()), 0);
  const std::int64_t unknown = tokenizer.unknown_id().value_or(-1);
  PieceReader reader(file, PieceEnd::line);
  std::int64_t total = 0;
  bool within_line = false;
  for (TextPiece piece; reader.next(piece);) {
    out.num_cut += !piece.ends && !within_line ? 1 : 0;
    within_line = !piece.ends;
    const Encoding encoding = tokenizer.encode(piece.text, {.add_special = false, .file_limits = false});
    out.num_invalid += encoding.num_invalid;
    for (const std::int64_t id : encoding.ids) {
      if (id == unknown) continue;
      ++out.counts[static_cast<std::size_t>(id)];
      ++total;
    }
  }
  if (total == 0) fail(ExitCode::bad_data, "{}: no token of the vocabulary is in it", file.string());
  return out;
}

std::vector<double> shares_of_counts(std::span<const std::int64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::int64_t{0}));
  std::vector<double> shares;
  shares.reserve(counts.size());
  for (const std::int64_t count : counts) shares.push_back(static_cast<double>(count) / total);
  return shares;
}

}  // namespace mgd
