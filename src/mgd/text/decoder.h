// From tokens back to text.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/text/json_place.h"

namespace mgd {

class Decoder {
 public:
  virtual ~Decoder() = default;
  // Rewrites the tokens into pieces of text, which are then put together.
  virtual void apply(std::vector<std::string>& tokens) const = 0;
};

// The `decoder` of a tokenizer.json. Throws Error(bad_data) for a kind that is not known here.
std::unique_ptr<const Decoder> read_decoder(const JsonPlace& json, int depth = 0);

}  // namespace mgd
