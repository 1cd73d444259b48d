// Where the tokenizer of a model folder lies, and in which files.
#pragma once

#include "mgd/core/file.h"

namespace mgd {

// All that a folder may carry for its tokenizer, by whatever library.
inline constexpr const char* kTokenizerFiles[] = {"tokenizer.json",
                                                  "tokenizer_config.json",
                                                  "special_tokens_map.json",
                                                  "added_tokens.json",
                                                  "vocab.txt",
                                                  "vocab.json",
                                                  "merges.txt",
                                                  "spiece.model",
                                                  "sentencepiece.bpe.model",
                                                  "tokenizer.model"};

// The folder that holds the Transformer, or the static table, of a model folder: itself, or the subfolder
// that modules.json of sentence-transformers names ("0_Transformer"). Throws Error(refused) for one that
// leads out.
fs::path transformer_folder(const fs::path& folder);

// Whether the folder, or that of its Transformer, holds a tokenizer that can be read: tokenizer.json or
// vocab.txt.
bool holds_tokenizer(const fs::path& folder);

// The file to read: `path` itself where it is a file. Error(missing_input) that says what lies there instead,
// and how to make a tokenizer.json of it.
fs::path tokenizer_file(const fs::path& path);

}  // namespace mgd
