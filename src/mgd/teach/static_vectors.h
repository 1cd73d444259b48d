// What a sentence encoder says of each single token.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>

#include "mgd/data/text_frame.h"
#include "mgd/model/text_model.h"

namespace mgd {

// The text of one token, framed as the encoder's tokenizer frames any: the mean of the last hidden rows over
// all of its positions, frame included. -> (ids, H) float. The encoder pools by the mean and does not
// normalise, and lies on `device`.
at::Tensor output_vectors(TextModel& encoder, const TextFrame& frame, std::span<const std::int64_t> ids,
                          at::Device device);

// The rows of its table of token vectors: what its first layer reads, without positions. -> (ids, H) float.
at::Tensor input_vectors(const TextModel& encoder, std::span<const std::int64_t> ids);

}  // namespace mgd
