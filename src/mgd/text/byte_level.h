// GPT-2's bytes as characters: every byte has a printable character of its own, so that a vocabulary of texts
// can spell any input.
#pragma once

#include <array>
#include <optional>

#include "mgd/text/pre_tokenizer.h"

namespace mgd {

// The character of each byte: itself where it is printable, else U+0100 and on.
const std::array<char32_t, 256>& byte_characters();
std::optional<unsigned char> byte_of_character(char32_t c);

std::unique_ptr<const PreTokenizer> read_byte_level(const JsonPlace& json);

// Cuts like GPT-2's pattern:
// 's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// Appends the end of each word; `text` is covered whole.
void find_gpt2_words(std::string_view text, std::vector<std::size_t>& ends);

}  // namespace mgd
