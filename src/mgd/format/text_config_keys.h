// How each architecture's config.json names what a TextConfig holds. Only for the sources of this format.
#pragma once

#include <string>
#include <string_view>

#include "mgd/format/text_config.h"

namespace mgd {

// nullptr: the architecture has no such key.
struct TextKeys {
  const char *hidden = "hidden_size", *layers = "num_hidden_layers", *heads = "num_attention_heads",
             *intermediate = "intermediate_size", *positions = "max_position_embeddings";
  const char *types = nullptr, *decoder_layers = nullptr, *decoder_heads = nullptr,
             *decoder_intermediate = nullptr;
  const char *activation = "hidden_act", *eps = "layer_norm_eps", *init = "initializer_range";
  const char *hidden_dropout = "hidden_dropout_prob", *attention_dropout = "attention_probs_dropout_prob",
             *activation_dropout = nullptr, *embedding_dropout = nullptr,
             *classifier_dropout = "classifier_dropout";
  const char* scale_embedding = nullptr;
  bool modern = false;  // the keys of ModernBERT alone
};

// The class of transformers for each head; nullptr: none.
struct TextClasses {
  const char *encoder, *masked_lm, *causal_lm, *sequence_classification, *token_classification;
  const char* of(TextHead head) const;
};

struct TextArchitecture {
  const char* model_type;
  TextKeys keys;
  TextClasses classes;
  TextConfig (*defaults)();
};

// Error(code) with the nearest known name.
const TextArchitecture& text_architecture(const std::string& model_type, const std::string& source);

}  // namespace mgd
