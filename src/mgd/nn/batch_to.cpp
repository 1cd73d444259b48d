#include "mgd/nn/batch_to.h"

namespace mgd {

Batch batch_to(const Batch& batch, at::Device device) {
  Batch moved = batch;
  for (at::Tensor* t :
       {&moved.input, &moved.tokens.ids, &moved.tokens.positions, &moved.tokens.type_ids,
        &moved.decoder_tokens.ids, &moved.decoder_tokens.positions, &moved.decoder_tokens.type_ids,
        &moved.target_rows, &moved.target, &moved.target_probs})
    if (t->defined()) *t = t->to(device, /*non_blocking=*/true);
  return moved;
}

}  // namespace mgd
