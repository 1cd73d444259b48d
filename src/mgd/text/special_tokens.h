// Which tokens play a part of their own, from the files beside tokenizer.json.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "mgd/core/file.h"

namespace mgd {

// -1: there is none.
struct SpecialTokens {
  std::int64_t pad = -1, unk = -1, cls = -1, sep = -1, mask = -1, bos = -1, eos = -1;
  std::int64_t model_max_length = 0;  // tokens; 0: not stated
  std::optional<bool> truncate_left;  // a text that is too long loses its beginning; none: not stated
  bool cuts_left() const { return truncate_left.value_or(false); }
};

using TokenLookup = std::function<std::optional<std::int64_t>(std::string_view)>;

// From FOLDER/tokenizer_config.json, then FOLDER/special_tokens_map.json; what neither names is looked for by
// its usual spellings ([MASK], <mask>, ...). An empty folder: spellings alone. Throws Error(bad_data) for
// files that are no JSON objects, or name a token that the vocabulary lacks.
SpecialTokens find_special_tokens(const fs::path& folder, const TokenLookup& id_of);

}  // namespace mgd
