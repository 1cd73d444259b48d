// A folder of a text model in the form of Hugging Face: config.json, model.safetensors, tokenizer files; and
// for sentence encoders the files of sentence-transformers.
#pragma once

#include <map>
#include <string>

#include "mgd/format/text_config.h"
#include "mgd/io/weights.h"

namespace mgd {

// Whether the folder's config.json is one of transformers: it names a `model_type`. False when there is none.
bool is_text_folder(const std::string& folder);

struct TextFolder {
  TextConfig config;
  TensorMap tensors;
  std::map<std::string, std::string> tokenizer;  // file name -> bytes, as they lay there
};

// Weights may be sharded, and may lie in the subfolder that modules.json names. An encoder with a
// modules.json pools and normalises as that says; modules that are not known are refused by name. Throws
// Error(missing_input | bad_data | refused).
TextFolder load_text_folder(const std::string& folder);

// Published atomically; replaces a folder that stands there. An encoder gets the files of
// sentence-transformers too, so that SentenceTransformer(folder) gives our embeddings.
void save_text_folder(const std::string& folder, const TextFolder& content);

}  // namespace mgd
