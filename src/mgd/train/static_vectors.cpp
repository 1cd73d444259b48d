#include "mgd/train/static_vectors.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/eval/text_eval.h"
#include "mgd/model/text_names.h"

namespace mgd {

namespace {

Batch batch_of_tokens(const TextFrame& frame, std::span<const std::int64_t> tokens) {
  std::vector<std::int64_t> ids, positions, types;
  Batch batch;
  batch.tokens.offsets = {0};
  for (const std::int64_t token : tokens) {
    const TextSequence sequence = framed(frame, TokenPiece{.ids = {token}, .word_start = {1}});
    ids.insert(ids.end(), sequence.ids.begin(), sequence.ids.end());
    types.insert(types.end(), sequence.type_ids.begin(), sequence.type_ids.end());
    for (std::size_t t = 0; t < sequence.ids.size(); ++t) positions.push_back(static_cast<std::int64_t>(t));
    batch.tokens.offsets.push_back(static_cast<std::int64_t>(ids.size()));
  }
  batch.tokens.ids = at::tensor(ids, at::kLong);
  batch.tokens.positions = at::tensor(positions, at::kLong);
  if (std::any_of(types.begin(), types.end(), [](std::int64_t type) { return type != 0; }))
    batch.tokens.type_ids = at::tensor(types, at::kLong);
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
