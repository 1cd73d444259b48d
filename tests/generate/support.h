// The tiny models of scripts/fixtures/make_generation.py, and what transformers makes of them.
#pragma once

#include <ATen/Parallel.h>
#include <gmock/gmock.h>

#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/core/file.h"
#include "mgd/generate/generate.h"
#include "mgd/io/text_folder.h"
#include "mgd/io/weights.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

struct TinyModel {
  std::unique_ptr<TextModel> model;
  Tokenizer tokenizer;
};

inline TinyModel tiny(const std::string& name) {
  at::set_num_threads(1);  // such small sums are faster alone
  const std::string folder = std::string(MGD_SOURCE_DIR "/tests/generate/fixtures") + "/" + name;
  TextFolder content = load_text_folder(folder);
  auto model = make_text_model(content.config, 1);
  load_state(*model, adapt_weights(*model, std::move(content.tensors)).tensors, folder);
  return {.model = std::move(model), .tokenizer = Tokenizer::load(folder)};
}

inline const nlohmann::json& expected() {
  static const nlohmann::json all = nlohmann::json::parse(
      read_file(std::string(MGD_SOURCE_DIR "/tests/generate/fixtures") + "/expected.json"));
  return all;
}

// The 50 ragged prompts of a model.
inline std::vector<Prompt> prompts_of(const std::string& name) {
  std::vector<Prompt> prompts;
  for (const auto& row : expected().at(name))
    prompts.push_back({.ids = row.at("prompt").get<TokenIds>(), .sample = prompts.size()});
  return prompts;
}

inline std::vector<TokenIds> tokens_of(const std::vector<Generated>& results) {
  std::vector<TokenIds> tokens;
  for (const Generated& result : results) tokens.push_back(result.tokens);
  return tokens;
}

}  // namespace mgd
