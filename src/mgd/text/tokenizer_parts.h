// The stages that a tokenizer is made of.
#pragma once

#include <memory>
#include <optional>

#include "mgd/text/added_tokens.h"
#include "mgd/text/decoder.h"
#include "mgd/text/limits.h"
#include "mgd/text/normalizer.h"
#include "mgd/text/post_processor.h"
#include "mgd/text/pre_tokenizer.h"
#include "mgd/text/token_model.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// In the order in which a text meets them; all but the model and the added tokens may be absent.
struct Tokenizer::Parts {
  std::string source, json;
  std::unique_ptr<const AddedTokens> added;
  std::unique_ptr<const Normalizer> normalizer;
  std::unique_ptr<const PreTokenizer> pre_tokenizer;
  std::unique_ptr<const TokenModel> model;
  std::optional<Truncation> truncation;
  std::unique_ptr<const PostProcessor> post_processor;
  std::optional<Padding> padding;
  std::unique_ptr<const Decoder> decoder;
  SpecialTokens special;
  std::int64_t num_ids = 0;

  // Cut into words; `num_invalid`, where given, grows by the places that were no UTF-8.
  SplitText split(std::string_view text, std::int64_t* num_invalid) const;
  const std::string* find_token(std::int64_t id) const;  // nullptr: no such id
  std::optional<std::int64_t> find_id(std::string_view token) const;
};

}  // namespace mgd
