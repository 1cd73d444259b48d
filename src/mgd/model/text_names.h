// What transformers calls the parts of each architecture: data, from which all names of tensors and taps
// follow.
#pragma once

#include <string>

#include "mgd/format/text_config.h"
#include "mgd/model/transformer.h"

namespace mgd {

// A head: dense, activation, norm, output; nullptr: it has no such part.
struct HeadNames {
  const char *dense = nullptr, *norm = nullptr, *out = nullptr;
  const char* bias = nullptr;  // of a language model's output: it stands apart from the tied weight
};

struct TextNames {
  const char* prefix = "";       // of everything but the head, in a model that has a head
  const char* shared = nullptr;  // one table of token vectors for encoder and decoder
  StackNames encoder = {};       // or a decoder alone
  StackNames decoder = {};       // of an encoder-decoder
  const char* pooler = nullptr;  // of a bare model
  HeadNames lm = {}, sequence = {}, token = {};
};

const TextNames& text_names(const std::string& model_type);

}  // namespace mgd
