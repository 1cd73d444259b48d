#include "mgd/generate/masked_batch.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/tensor.h>

#include "mgd/core/error.h"
#include "mgd/generate/next_token.h"
#include "mgd/types/token_rows.h"

namespace mgd {

namespace {

std::vector<TokenIds> moved_by_one(std::span<const TokenIds> sequences, std::int64_t start) {
  std::vector<TokenIds> moved;
  for (const TokenIds& ids : sequences) {
    moved.push_back({start});
    moved.back().insert(moved.back().end(), ids.begin(), ids.end() - 1);
  }
  return moved;
}

}  // namespace

LmHead answer_masked(TextModel& model, std::span<const MaskedSequence> sequences, at::Device device) {
  const at::NoGradGuard no_grad;
  std::vector<TokenIds> ids;
  TokenIds asked;
  TokenRows rows;
  for (const MaskedSequence& sequence : sequences) {
    ids.push_back(sequence.ids);
    const std::int64_t first = rows.add(sequence.ids, sequence.type_ids);
    for (const std::int64_t place : sequence.asked) asked.push_back(first + place);
  }
  Batch batch;
  batch.tokens = rows.tokens(device);
  if (model.config().encoder_decoder())
    batch.decoder_tokens = packed(moved_by_one(ids, model.config().decoder_start_id), device);
  batch.target_rows = at::tensor(asked, at::kLong).to(device);
  Forward forward;
  return model.run(batch, forward).head;
}

void require_masked_lm(const TextModel& model) {
  const TextConfig& config = model.config();
  if (config.head == TextHead::masked_lm || (config.encoder_decoder() && config.head == TextHead::causal_lm))
    return;
  fail(ExitCode::usage, "{} with a head for {} fills in no hidden tokens; expected a head for masked_lm",
       model.architecture(), text_head_name(config.head));
}

std::int64_t mask_id(const Tokenizer& tokenizer) {
  const std::int64_t id = tokenizer.special_tokens().mask;
  if (id < 0) fail(ExitCode::usage, "the tokenizer of this model has no mask token; nothing can be hidden");
  return id;
}

MaskedSequence read_masked(const TextModel& model, const Tokenizer& tokenizer, const std::string& text) {
  Encoding encoding = tokenizer.encode(text, {.file_limits = false});
  const auto size = static_cast<std::int64_t>(encoding.ids.size());
  if (size > model.max_tokens())
    fail(ExitCode::usage, "'{}': got {} tokens, but {} takes at most {}", printable(text), size,
         model.architecture(), model.max_tokens());
  return {.ids = std::move(encoding.ids), .type_ids = std::move(encoding.type_ids), .asked = {}};
}

}  // namespace mgd
