// The first stage of a tokenizer: rewriting the text.
#pragma once

#include <memory>

#include "mgd/text/aligned_text.h"
#include "mgd/text/json_place.h"

namespace mgd {

class Normalizer {
 public:
  virtual ~Normalizer() = default;
  virtual void apply(AlignedText& text) const = 0;
};

// The `normalizer` of a tokenizer.json. Throws Error(bad_data) for a kind that is not known here.
std::unique_ptr<const Normalizer> read_normalizer(const JsonPlace& json, int depth = 0);

}  // namespace mgd
