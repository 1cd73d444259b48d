// BERT's rules: control characters go, white space becomes a space, Chinese characters stand alone, accents
// and case are dropped.
#pragma once

#include "mgd/text/normalizer.h"

namespace mgd {

std::unique_ptr<const Normalizer> read_bert_normalizer(const JsonPlace& json);

void lower(AlignedText& text);

}  // namespace mgd
