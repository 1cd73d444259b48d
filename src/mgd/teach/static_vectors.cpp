#include "mgd/teach/static_vectors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/eval/text_eval.h"
#include "mgd/model/text_names.h"
#include "mgd/types/token_rows.h"

namespace mgd {

namespace {

Batch batch_of_tokens(const TextFrame& frame, std::span<const std::int64_t> tokens) {
  TokenRows rows;
  for (const std::int64_t token : tokens) {
    const TextSequence sequence = framed(frame, TokenPiece{.ids = {token}, .word_start = {1}});
    rows.add(sequence.ids, sequence.type_ids);
  }
  Batch batch;
  batch.tokens = rows.tokens();
  return batch;
}

}  // namespace

at::Tensor output_vectors(TextModel& encoder, const TextFrame& frame, std::span<const std::int64_t> ids,
                          at::Device device) {
  MGD_ASSERT(encoder.config().pooling == "mean" && !encoder.config().normalize);
  constexpr std::size_t kBatchTokens = 512;  // activations of three positions each stay in the caches
  std::vector<at::Tensor> parts;
  for (std::size_t at = 0; at < ids.size(); at += kBatchTokens) {
    const auto some = ids.subspan(at, std::min(kBatchTokens, ids.size() - at));
    parts.push_back(
        answer(encoder, batch_of_tokens(frame, some), {.device = device}).embedding.to(at::kCPU, at::kFloat));
  }
  return at::cat(parts);
}

at::Tensor input_vectors(const TextModel& encoder, std::span<const std::int64_t> ids) {
  const TextNames& names = text_names(encoder.config().model_type);
  const std::string stack = names.encoder.path;
  const std::string table = names.shared != nullptr
                                ? std::string(names.shared)
                                : (stack.empty() ? "" : stack + ".") + names.encoder.tokens;
  for (const NamedTensor& entry : encoder.state())
    if (entry.name == table + ".weight")
      return entry.tensor.detach()
          .to(at::kCPU, at::kFloat)
          .index_select(0, at::tensor(std::vector<std::int64_t>(ids.begin(), ids.end()), at::kLong));
  throw std::logic_error("a sentence encoder without a table of token vectors");
}

}  // namespace mgd
