// tests/text/fixtures/tokenizers.json.gz: what the `tokenizers` package makes of texts (see
// scripts/fixtures/make_tokenizers.py).
#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "mgd/core/file.h"
#include "mgd/format/gzip.h"

namespace mgd {

inline const nlohmann::json& tokenizer_fixture() {
  static const nlohmann::json fixture = nlohmann::json::parse(
      gunzip(read_file(fs::path(MGD_SOURCE_DIR "/tests/text/fixtures") / "tokenizers.json.gz"),
             "tokenizers.json.gz"));
  return fixture;
}

// The tokenizer.json of one pipeline.
inline std::string fixture_json(const std::string& pipeline) {
  return tokenizer_fixture().at("pipelines").at(pipeline).at("tokenizer").get<std::string>();
}

}  // namespace mgd
