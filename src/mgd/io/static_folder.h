// A folder of a static model: one vector a token and no layers.
#pragma once

#include <string>

#include "mgd/core/publish.h"
#include "mgd/io/text_folder.h"

namespace mgd {

// Whether config.json names the model2vec package, or modules.json begins with a StaticEmbedding of
// sentence-transformers.
bool is_static_folder(const std::string& folder);

// model.safetensors with `embeddings` (rows, H) as float16, bfloat16, float32, float64 or int8; where tokens
// share rows also `mapping` (V), and `weights` (V), what each row counts. sentence-transformers calls the
// first `embedding.weight`. All floating-point numbers become float32. Error(bad_data) for other tensors, by
// name, and sizes that do not fit.
TextFolder load_static_folder(const std::string& folder);

// config.json and modules.json, with which model2vec's StaticModel and SentenceTransformer open the folder.
void add_static_files(DirectoryPublisher& publisher, const TextConfig& config);

}  // namespace mgd
