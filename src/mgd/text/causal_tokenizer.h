// A tokenizer for a causal model: texts are opened and not closed, because what comes next is the model's.
#pragma once

#include <map>
#include <span>
#include <string>

#include "mgd/text/tokenizer.h"

namespace mgd {

// Changes the files of a tokenizer so that other libraries prompt a causal model with what it learned: a text
// gets the tokens of `opening` in front and nothing behind, the first of them is bos_token, `closing` (-1:
// none) is eos_token.
void make_causal(std::map<std::string, std::string>& files, const Tokenizer& tokenizer,
                 std::span<const std::int64_t> opening, std::int64_t closing);

}  // namespace mgd
