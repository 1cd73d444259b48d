// Losses of a language model's output layer, in pieces of rows: a matrix of (rows x vocabulary) never exists.
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "mgd/types/tokens.h"

namespace mgd {

// Calls visit(first, logits) for rows [first, first + r) of the head, in order, with their logits (r, V) in
// float (double for double input), whose memory is the visitor's to write to. `max_logits`: held at a time;
// a piece has 16 rows at least. head.rows is not looked at. Without gradient.
void for_head_pieces(const LmHead& head, std::int64_t max_logits,
                     const std::function<void(std::int64_t first, const at::Tensor& logits)>& visit);

// What a loss says of a piece: its sum, a scalar of the logits' type, and the sum's gradient by the logits
// (r, V), undefined where `need_gradient` is false.
struct PieceLoss {
  at::Tensor sum, gradient;
};
using LossOfPiece =
    std::function<PieceLoss(std::int64_t first, const at::Tensor& logits, bool need_gradient)>;

// The sum over all pieces, as a scalar, differentiable once by the head's three parts: where the gradient of
// a piece's logits is at hand, so are the products that need it. No rows: 0. head.rows is not looked at. With
// head.logits they are the one piece, and the sum is differentiable by them.
at::Tensor head_loss(const LmHead& head, std::int64_t max_logits, const LossOfPiece& of_piece);

// The head of the target rows alone with its logits, for several losses that read them: each then saves a
// product in its pass and two in the gradient's. The head as it is where they would be more than `max_logits`
// numbers, and for no rows.
LmHead with_logits(const LmHead& head, std::int64_t max_logits = std::int64_t{1} << 22);

}  // namespace mgd
