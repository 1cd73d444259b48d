// The second stage of a tokenizer: cutting the text into words.
#pragma once

#include <memory>

#include "mgd/text/json_place.h"
#include "mgd/text/splits.h"

namespace mgd {

class PreTokenizer {
 public:
  virtual ~PreTokenizer() = default;
  virtual void apply(SplitText& text) const = 0;
};

// The `pre_tokenizer` of a tokenizer.json. Throws Error(bad_data) for a kind that is not known here.
std::unique_ptr<const PreTokenizer> read_pre_tokenizer(const JsonPlace& json, int depth = 0);

}  // namespace mgd
