// Whether models mean the same by a token.
#pragma once

#include <string>

#include "mgd/core/file.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// The first digits of the SHA-256 of all entries in the order of their ids.
std::string vocabulary_fingerprint(const Tokenizer& tokenizer);

// Throws Error(usage), with both fingerprints and the first entry that differs, when the tokenizer of a
// model's folder and the one in use (of `used_from`) mean different tokens by an id. What one has beyond the
// last id of the other does not count; a folder without tokenizer is taken at its word. `role` names it in
// the message.
void require_same_vocabulary(const Tokenizer& used, const fs::path& used_from, const std::string& folder,
                             const std::string& role);

}  // namespace mgd
