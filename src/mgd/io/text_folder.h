// A folder of a text model in the form of Hugging Face: config.json, model.safetensors, tokenizer files; and
// for sentence encoders the files of sentence-transformers.
#pragma once

#include <map>
#include <string>

#include "mgd/format/text_config.h"
#include "mgd/io/weights.h"

namespace mgd {

// Whether the folder's config.json is one of transformers: it names a `model_type`. False when there is none.
// A folder of sentence-transformers is one too, and so is an adapter of PEFT, so that load_text_folder can
// tell what it is.
bool is_text_folder(const std::string& folder);

struct TextFolder {
  TextConfig config;
  TensorMap tensors;
  // What travels with the weights: file name -> bytes. Files of the tokenizer, sentence_bert_config.json
  // (length) and config_sentence_transformers.json (prompts) of an encoder, generation_config.json of a
  // decoder; this also where only config.json has such settings.
  std::map<std::string, std::string> tokenizer;
};

// Weights may be sharded, and may lie in the subfolder that modules.json names. An encoder with a
// modules.json pools and normalises as that says; modules that are not known are refused by name, and so are
// an adapter's folder and pointers of Git LFS. Throws Error(missing_input | bad_data | refused).
TextFolder load_text_folder(const std::string& folder);

// Published atomically; replaces a folder that stands there. An encoder gets the files of
// sentence-transformers too, so that SentenceTransformer(folder) gives our embeddings; a language model that
// generates gets a generation_config.json.
void save_text_folder(const std::string& folder, const TextFolder& content);

}  // namespace mgd
