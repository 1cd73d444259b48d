#include "mgd/generate/fill_mask.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/topk.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/nn/finite_rows.h"

namespace mgd {

namespace {

std::vector<MaskGuess> guesses(const Tokenizer& tokenizer, const MaskedSequence& sequence, std::size_t mask,
                               const at::Tensor& logits, std::int64_t top) {  // logits (V)
  const auto [scores, tokens] = logits.softmax(0).topk(std::min(top, logits.size(0)));
  const bool single = sequence.asked.size() == 1;  // otherwise the other masks have to be seen
  std::vector<MaskGuess> out;
  for (std::int64_t k = 0; k < scores.size(0); ++k) {
    const auto token = tokens.const_data_ptr<std::int64_t>()[k];
    TokenIds ids = sequence.ids;
    ids[static_cast<std::size_t>(sequence.asked[mask])] = token;
    out.push_back({.token = token,
                   .token_str = tokenizer.decode({&token, 1}, /*skip_special=*/false),
                   .score = scores.const_data_ptr<float>()[k],
                   .sequence = tokenizer.decode(ids, single)});
  }
  return out;
}

}  // namespace

std::vector<FilledText> fill_mask(TextModel& model, const Tokenizer& tokenizer,
                                  std::span<const std::string> texts, const FillMaskOptions& options) {
  require_masked_lm(model);
  const std::int64_t mask = mask_id(tokenizer);
  std::vector<MaskedSequence> sequences;
  for (const std::string& text : texts) {
    MaskedSequence sequence = read_masked(model, tokenizer, text);
    for (std::size_t t = 0; t < sequence.ids.size(); ++t)
      if (sequence.ids[t] == mask) sequence.asked.push_back(static_cast<std::int64_t>(t));
    if (sequence.asked.empty())
      fail(ExitCode::usage, "'{}': there is nothing to fill in; write {} where a token is wanted",
           printable(text), tokenizer.token_of(mask));
    sequences.push_back(std::move(sequence));
  }
  if (sequences.empty()) return {};
  const at::Tensor logits =
      logits_of(answer_masked(model, sequences, options.device)).detach().to(at::kCPU, at::kFloat);
  require_finite_rows(logits, "the model", [](std::int64_t row) { return fmt::format("mask {}", row + 1); });
  std::vector<FilledText> filled;
  std::int64_t row = 0;
  for (const MaskedSequence& sequence : sequences) {
    const auto num_masks = static_cast<std::int64_t>(sequence.asked.size());
    FilledText text{.masks = {}, .logits = logits.narrow(0, row, num_masks)};
    for (std::int64_t m = 0; m < num_masks; ++m)
      text.masks.push_back(
          guesses(tokenizer, sequence, static_cast<std::size_t>(m), text.logits[m], options.top));
    filled.push_back(std::move(text));
    row += num_masks;
  }
  return filled;
}

}  // namespace mgd
