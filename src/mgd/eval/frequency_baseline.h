// The loss that a language model has to beat.
#pragma once

#include "mgd/format/config.h"

namespace mgd {

// Guessing by frequency in the training tokens (UnigramModel), in nats a target, on the very targets on which
// the model of this recipe is measured: those of its validation split. Tasks mlm and clm; throws as open_text
// does, and Error(usage) without a validation split.
double frequency_baseline(const Config& config);

}  // namespace mgd
