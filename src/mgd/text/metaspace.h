// SentencePiece's spaces: a visible character in their place, and one in front of the text.
#pragma once

#include "mgd/text/pre_tokenizer.h"

namespace mgd {

enum class PrependScheme { first, never, always };

struct MetaspaceOptions {
  char32_t replacement = 0x2581;
  PrependScheme prepend = PrependScheme::always;
  bool split = true;
};

// As pre-tokenizer and as decoder it has the same fields, old and new.
MetaspaceOptions read_metaspace_options(const JsonPlace& json);

std::unique_ptr<const PreTokenizer> read_metaspace(const JsonPlace& json);

}  // namespace mgd
