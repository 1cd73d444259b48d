// config.json of a static model: a table of vectors, one a token, as the model2vec package keeps it.
#pragma once

#include <string>
#include <string_view>

#include "mgd/format/text_config.h"

namespace mgd {

inline constexpr const char* kStaticModel = "model2vec";  // its model_type

// `normalize` (not there: false) and `max_length` (not there: 512; null: no limit) have a meaning here; what
// else the file says is kept as it stands, to be written again. The sizes are those of the tensors and not
// known yet. Error(bad_data) names the key.
TextConfig parse_static_config(std::string_view json, const std::string& source);

// A static model whose folder has no config.json of the package: sentence-transformers' StaticEmbedding,
// which counts unknown tokens, and reads whole texts.
TextConfig static_config_of_modules(bool normalize);

std::string static_config_json(const TextConfig& config);

}  // namespace mgd
