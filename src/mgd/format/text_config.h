// What a text model is: the union of what the config.json files of transformers say of BERT, RoBERTa,
// DistilBERT, ModernBERT, GPT-2 and BART.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/format/options.h"

namespace mgd {

// What the last layers are for.
enum class TextHead { encoder, masked_lm, causal_lm, sequence_classification, token_classification };
const char* text_head_name(TextHead head);  // "masked_lm", ...

// A static model has a table of vectors, one a token, and no layers (model/static_table.h).
struct StaticTableConfig {
  std::int64_t rows = 0;               // of the table
  bool mapped = false;                 // a second table says which row a token has: several share one
  bool weighted = false;               // each token has a weight beside its row
  bool counts_unknown = false;         // as sentence-transformers has it
  std::vector<std::int64_t> left_out;  // ids that never count; the tokenizer says which
  std::string made;                    // a JSON object: what its config.json says beside what stands here
};

struct TextConfig {
  std::string model_type = "bert";
  TextHead head = TextHead::encoder;
  bool names_class =
      true;  // false: read from a file without `architectures`, so that its weights tell the head

  std::int64_t vocab_size = 30522, hidden_size = 768, layers = 12, heads = 12, intermediate_size = 3072;
  std::int64_t max_positions = 512;  // rows of the table of positions
  std::int64_t type_vocab_size = 2;
  std::int64_t decoder_layers = 0, decoder_heads = 0, decoder_intermediate_size = 0;  // BART
  std::string activation = "gelu";
  double norm_eps = 1e-12;
  double initializer_range = 0.02;
  bool tie_embeddings = true;
  bool scale_embedding = false;  // BART: embeddings times sqrt(hidden_size)
  bool pooler = false;  // bare BERT and RoBERTa: a pooler travels with the weights, though no head uses it

  double hidden_dropout = 0.1, attention_dropout = 0.1, activation_dropout = 0, embedding_dropout = 0;
  double classifier_dropout = -1;  // -1: the architecture's habit

  // ModernBERT
  bool attention_bias = true, mlp_bias = true, norm_bias = true, classifier_bias = true, decoder_bias = true;
  std::string classifier_activation = "gelu", classifier_pooling = "cls";  // cls | mean
  double global_rope_theta = 160000, local_rope_theta = 10000;
  std::int64_t local_window = 64;  // keys seen on each side
  std::vector<bool> global_layer;  // of each layer: sees everything; empty: every one does

  std::int64_t num_labels = 2;
  std::vector<std::string> label_names;  // empty: LABEL_0, LABEL_1, ...
  std::string problem_type;              // "" | regression | single_label_classification | multi_label_...

  // Token ids; -1: none.
  std::int64_t pad_id = -1, bos_id = -1, eos_id = -1, cls_id = -1, sep_id = -1, decoder_start_id = -1;
  std::vector<std::int64_t> other_eos_ids;  // that end a text as well

  // Sentence embedding: sentence-transformers' pooling over the visible tokens, and an L2 norm after it.
  std::string pooling = "mean";  // mean | cls | last
  bool normalize = false;
  bool pools_prompt =
      true;  // false: the tokens of a prompt are left out of the pooling, which is not supported

  StaticTableConfig table = {};

  bool is_static() const { return model_type == "model2vec"; }
  bool encoder_decoder() const { return model_type == "bart"; }
  bool decoder() const { return model_type == "gpt2" || encoder_decoder(); }
};

std::vector<std::string> known_text_models();  // "bert", "roberta", ...

// What `model_type` means when its config.json says nothing else. Error(usage) with the nearest known name.
TextConfig default_text_config(const std::string& model_type);

// The sizes of a model from scratch, as a recipe gives them; 0 or -1: the architecture's own.
struct TextSizes {
  std::int64_t vocab_size = 0, hidden_size = 0, layers = 0, heads = 0, intermediate_size = 0;
  std::int64_t max_positions = 0, decoder_layers = 0;
  double dropout = -1;
  bool tie_embeddings = true;
  void visit(OptionVisitor& v);
};
TextConfig text_config(const std::string& model_type, const TextSizes& sizes, TextHead head);

// Sizes that do not fit together: Error(code), beginning with `source`.
void check_text_config(const TextConfig& config, const std::string& source, bool from_file);

// config.json in transformers' form, read and written. What is not written there has the default of its
// class, as transformers itself saves it. Error(bad_data) names the key; a model type, a class of
// `architectures` or a value that is not supported is refused by name, with the nearest known one.
TextConfig parse_text_config(std::string_view json, const std::string& source);
std::string text_config_json(const TextConfig& config);

}  // namespace mgd
