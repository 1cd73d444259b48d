#include "mgd/model/text_options.h"

#include <cmath>

namespace mgd {

namespace {

bool is_modern(const TextConfig& config) {
  return config.model_type == "modernbert";
}

// Of the layers that add to the residual: 1 / sqrt(number of sums), so that its variance does not grow with
// depth (Radford et al. 2019, section 2.3).
double residual_deviation(const TextConfig& config) {
  const bool scaled = config.model_type == "gpt2" || is_modern(config);
  return config.initializer_range / (scaled ? std::sqrt(2.0 * static_cast<double>(config.layers)) : 1.0);
}

LayerOptions layer_options(const TextConfig& config, std::size_t layer) {
  const bool gpt2 = config.model_type == "gpt2", modern = is_modern(config);
  const bool global = config.global_layer.empty() || config.global_layer[layer];
  LayerOptions options{
      .attention = {.hidden = config.hidden_size,
                    .heads = config.heads,
                    .bias = config.attention_bias,
                    .in_first = gpt2,
                    .causal = gpt2,
                    .window = modern && !global ? config.local_window : -1,
                    .dropout = config.attention_dropout,
                    .deviation = config.initializer_range,
                    .out_deviation = residual_deviation(config)},
      .intermediate = config.intermediate_size,
      .activation = config.activation,
      .gated = modern,
      .pre_norm = gpt2 || modern,
      .attention_norm = !modern || layer > 0,  // ModernBERT's embeddings are normed already
      .mlp_bias = config.mlp_bias,
      .norm_bias = config.norm_bias,
      .norm_eps = config.norm_eps,
      .rope_theta = !modern ? 0 : (global ? config.global_rope_theta : config.local_rope_theta),
      .attention_out_dropout = config.hidden_dropout,
      .activation_dropout = config.activation_dropout,
      .out_dropout = config.hidden_dropout};
  if (modern) options.attention_out_dropout = config.attention_dropout;
  if (config.model_type == "distilbert") options.attention_out_dropout = 0;
  return options;
}

}  // namespace

StackOptions encoder_options(const TextConfig& config) {
  StackOptions options{.vocab_size = config.vocab_size,
                       .hidden = config.hidden_size,
                       .positions = config.max_positions,
                       .types = config.type_vocab_size,
                       .padding = config.pad_id,
                       .embedding_dropout = config.hidden_dropout,
                       .norm_eps = config.norm_eps,
                       .deviation = config.initializer_range,
                       .norm_bias = config.norm_bias,
                       .layers = {}};
  // RoBERTa counts from the padding id on; BART's table has two rows that nothing uses.
  if (config.model_type == "roberta") options.position_offset = config.pad_id + 1;
  if (config.model_type == "bart") {
    options.position_offset = 2;
    options.positions += 2;
  }
  if (config.scale_embedding) options.embedding_scale = std::sqrt(static_cast<double>(config.hidden_size));
  if (config.model_type == "gpt2" || is_modern(config)) options.embedding_dropout = config.embedding_dropout;
  for (std::int64_t i = 0; i < config.layers; ++i)
    options.layers.push_back(layer_options(config, static_cast<std::size_t>(i)));
  return options;
}

StackOptions decoder_options(const TextConfig& config) {
  StackOptions options = encoder_options(config);
  LayerOptions layer = layer_options(config, 0);
  layer.attention.heads = config.decoder_heads;
  layer.attention.causal = true;
  layer.intermediate = config.decoder_intermediate_size;
  layer.cross = true;
  options.layers.assign(static_cast<std::size_t>(config.decoder_layers), layer);
  return options;
}

HeadOptions head_options(const TextConfig& config) {
  const std::string& type = config.model_type;
  const bool lm = config.head == TextHead::masked_lm || config.head == TextHead::causal_lm;
  HeadOptions options{.hidden = config.hidden_size,
                      .outputs = lm ? config.vocab_size : config.num_labels,
                      .activation = lm ? config.activation : "tanh",
                      .dense_bias = config.classifier_bias,
                      .norm_bias = config.norm_bias,
                      .out_bias = lm ? config.decoder_bias : type != "gpt2",
                      .tied = lm && config.tie_embeddings,
                      .norm_eps = config.norm_eps,
                      .deviation = config.initializer_range,
                      .out_deviation = config.initializer_range};
  if (is_modern(config)) {
    options.activation = config.classifier_activation;
    options.deviation = residual_deviation(config);
    options.out_deviation = lm ? options.deviation : 1 / std::sqrt(static_cast<double>(config.hidden_size));
  }
  if (type == "roberta" && lm) options.activation = "gelu";
  if (lm) return options;

  const double dropout = config.classifier_dropout >= 0 ? config.classifier_dropout : config.hidden_dropout;
  options.dropout_after = dropout;
  const bool sequence = config.head == TextHead::sequence_classification;
  if (sequence && (type == "roberta" || type == "bart")) options.dropout_before = dropout;
  if (sequence && type == "distilbert") options.activation = "relu";
  if (!sequence && type == "distilbert") options.dropout_after = config.hidden_dropout;
  if (type == "gpt2") {
    options.dropout_after = config.classifier_dropout >= 0 ? config.classifier_dropout : 0.1;
    // GPT2ForTokenClassification alone has a bias and a dropout.
    options.out_bias = !sequence;
    if (sequence) options.dropout_after = 0;
  }
  return options;
}

}  // namespace mgd
