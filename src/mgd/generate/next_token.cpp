#include "mgd/generate/next_token.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"
#include "mgd/types/token_rows.h"

namespace mgd {

namespace {

// The tokens from `first[s]` on.
PackedTokens packed_from(std::span<const TokenIds> sequences, std::span<const std::int64_t> first,
                         at::Device device) {
  TokenRows rows;
  for (std::size_t s = 0; s < sequences.size(); ++s) {
    const std::int64_t read = first.empty() ? 0 : first[s];
    rows.add(std::span(sequences[s]).subspan(static_cast<std::size_t>(read)), {}, read);
  }
  return rows.tokens(device);
}

// The last row of each sequence.
at::Tensor last_rows(const std::vector<std::int64_t>& offsets, at::Device device) {
  TokenIds rows;
  for (std::size_t s = 0; s + 1 < offsets.size(); ++s) rows.push_back(offsets[s + 1] - 1);
  return at::tensor(rows, at::kLong).to(device);
}

}  // namespace

PackedTokens packed(std::span<const TokenIds> sequences, at::Device device) {
  return packed_from(sequences, {}, device);
}

NextToken::NextToken(TextModel& model, std::vector<TokenIds> sources, bool cached, at::Device device)
    : model_(model), sources_(std::move(sources)), cached_(cached), device_(device) {
  const TextConfig& config = model.config();
  if (config.head != TextHead::causal_lm)
    fail(ExitCode::usage, "{}: a model that predicts the next token is needed here", config.model_type);
  if (sources_.empty() == config.encoder_decoder())
    fail(ExitCode::usage, "{}: got {} sources, expected {}", config.model_type, sources_.size(),
         config.encoder_decoder() ? "one for each sequence" : "none");
}

at::Tensor NextToken::hidden_cached(std::span<const TokenIds> sequences, Forward& forward) {
  if (!cache_)
    cache_ = sources_.empty() ? model_.new_cache(static_cast<std::int64_t>(sequences.size()))
                              : model_.new_cache(packed(sources_, device_), forward);
  const PackedTokens fresh = packed_from(sequences, cache_->lengths(), device_);
  return model_.decode(fresh, *cache_, forward).index_select(0, last_rows(fresh.offsets, device_));
}

at::Tensor NextToken::logits(std::span<const TokenIds> sequences) {
  const at::NoGradGuard no_grad;
  Forward forward;
  LmHead head;
  if (cached_) {
    head = model_.lm_head(hidden_cached(sequences, forward), forward);
  } else {
    Batch batch;
    const PackedTokens read = packed(sequences, device_);
    batch.target_rows = last_rows(read.offsets, device_);
    (sources_.empty() ? batch.tokens : batch.decoder_tokens) = read;
    if (!sources_.empty()) batch.tokens = packed(sources_, device_);
    head = model_.run(batch, forward).head;
  }
  return logits_of(head).to(at::kCPU, at::kFloat);
}

void NextToken::select(const std::vector<std::int64_t>& sequences) {
  if (cache_) cache_->select(sequences);
  if (sources_.empty()) return;
  std::vector<TokenIds> kept;
  for (const std::int64_t s : sequences) kept.push_back(sources_[static_cast<std::size_t>(s)]);
  sources_ = std::move(kept);
}

}  // namespace mgd
