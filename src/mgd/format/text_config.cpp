#include "mgd/format/text_config.h"

#include "mgd/core/error.h"
#include "mgd/format/text_config_keys.h"

namespace mgd {

namespace {

TextConfig bert() {
  return {.model_type = "bert", .pad_id = 0};
}

TextConfig roberta() {
  return {.model_type = "roberta", .vocab_size = 50265, .pad_id = 1, .bos_id = 0, .eos_id = 2};
}

TextConfig distilbert() {
  return {
      .model_type = "distilbert", .layers = 6, .type_vocab_size = 0, .classifier_dropout = 0.2, .pad_id = 0};
}

TextConfig modernbert() {
  TextConfig config{.model_type = "modernbert",
                    .vocab_size = 50368,
                    .layers = 22,
                    .intermediate_size = 1152,
                    .max_positions = 8192,
                    .type_vocab_size = 0,
                    .norm_eps = 1e-5,
                    .hidden_dropout = 0,
                    .attention_dropout = 0,
                    .classifier_dropout = 0,
                    .attention_bias = false,
                    .mlp_bias = false,
                    .norm_bias = false,
                    .classifier_bias = false,
                    .pad_id = 50283,
                    .bos_id = 50281,
                    .eos_id = 50282,
                    .cls_id = 50281,
                    .sep_id = 50282};
  return config;
}

TextConfig gpt2() {
  return {.model_type = "gpt2",
          .vocab_size = 50257,
          .intermediate_size = 0,
          .max_positions = 1024,
          .type_vocab_size = 0,
          .activation = "gelu_new",
          .norm_eps = 1e-5,
          .embedding_dropout = 0.1,
          .bos_id = 50256,
          .eos_id = 50256};
}

TextConfig bart() {
  return {.model_type = "bart",
          .vocab_size = 50265,
          .hidden_size = 1024,
          .layers = 12,
          .heads = 16,
          .intermediate_size = 4096,
          .max_positions = 1024,
          .type_vocab_size = 0,
          .decoder_layers = 12,
          .decoder_heads = 16,
          .decoder_intermediate_size = 4096,
          .norm_eps = 1e-5,
          .attention_dropout = 0,
          .classifier_dropout = 0,
          .num_labels = 3,
          .pad_id = 1,
          .bos_id = 0,
          .eos_id = 2,
          .decoder_start_id = 2};
}

const TextArchitecture kArchitectures[] = {
    {"bert",
     {.types = "type_vocab_size"},
     {"BertModel", "BertForMaskedLM", nullptr, "BertForSequenceClassification", "BertForTokenClassification"},
     bert},
    {"roberta",
     {.types = "type_vocab_size"},
     {"RobertaModel", "RobertaForMaskedLM", nullptr, "RobertaForSequenceClassification",
      "RobertaForTokenClassification"},
     roberta},
    {"distilbert",
     {.hidden = "dim",
      .layers = "n_layers",
      .heads = "n_heads",
      .intermediate = "hidden_dim",
      .activation = "activation",
      .eps = nullptr,
      .hidden_dropout = "dropout",
      .attention_dropout = "attention_dropout",
      .classifier_dropout = "seq_classif_dropout"},
     {"DistilBertModel", "DistilBertForMaskedLM", nullptr, "DistilBertForSequenceClassification",
      "DistilBertForTokenClassification"},
     distilbert},
    {"modernbert",
     {.activation = "hidden_activation",
      .eps = "norm_eps",
      .hidden_dropout = nullptr,
      .attention_dropout = "attention_dropout",
      .activation_dropout = "mlp_dropout",
      .embedding_dropout = "embedding_dropout",
      .modern = true},
     {"ModernBertModel", "ModernBertForMaskedLM", nullptr, "ModernBertForSequenceClassification",
      "ModernBertForTokenClassification"},
     modernbert},
    {"gpt2",
     {.hidden = "n_embd",
      .layers = "n_layer",
      .heads = "n_head",
      .intermediate = "n_inner",
      .positions = "n_positions",
      .activation = "activation_function",
      .eps = "layer_norm_epsilon",
      .hidden_dropout = "resid_pdrop",
      .attention_dropout = "attn_pdrop",
      .embedding_dropout = "embd_pdrop"},
     {"GPT2Model", nullptr, "GPT2LMHeadModel", "GPT2ForSequenceClassification", "GPT2ForTokenClassification"},
     gpt2},
    {"bart",
     {.hidden = "d_model",
      .layers = "encoder_layers",
      .heads = "encoder_attention_heads",
      .intermediate = "encoder_ffn_dim",
      .decoder_layers = "decoder_layers",
      .decoder_heads = "decoder_attention_heads",
      .decoder_intermediate = "decoder_ffn_dim",
      .activation = "activation_function",
      .eps = nullptr,
      .init = "init_std",
      .hidden_dropout = "dropout",
      .attention_dropout = "attention_dropout",
      .activation_dropout = "activation_dropout",
      .scale_embedding = "scale_embedding"},
     {"BartModel", nullptr, "BartForConditionalGeneration", "BartForSequenceClassification", nullptr},
     bart},
};

void set_if(std::int64_t& value, std::int64_t given) {
  if (given > 0) value = given;
}

}  // namespace

const char* text_head_name(TextHead head) {
  switch (head) {
    case TextHead::encoder:
      return "encoder";
    case TextHead::masked_lm:
      return "masked_lm";
    case TextHead::causal_lm:
      return "causal_lm";
    case TextHead::sequence_classification:
      return "sequence_classification";
    case TextHead::token_classification:
      return "token_classification";
  }
  return "";
}

const char* TextClasses::of(TextHead head) const {
  switch (head) {
    case TextHead::encoder:
      return encoder;
    case TextHead::masked_lm:
      return masked_lm;
    case TextHead::causal_lm:
      return causal_lm;
    case TextHead::sequence_classification:
      return sequence_classification;
    case TextHead::token_classification:
      return token_classification;
  }
  return nullptr;
}

const TextArchitecture& text_architecture(const std::string& model_type, const std::string& source) {
  for (const TextArchitecture& architecture : kArchitectures)
    if (model_type == architecture.model_type) return architecture;
  fail(source.empty() ? ExitCode::usage : ExitCode::bad_data, "{}model_type: got '{}'{}",
       source.empty() ? "" : source + ": ", printable(model_type),
       suggestion(model_type, known_text_models()));
}

std::vector<std::string> known_text_models() {
  std::vector<std::string> names;
  for (const TextArchitecture& architecture : kArchitectures) names.emplace_back(architecture.model_type);
  return names;
}

TextConfig default_text_config(const std::string& model_type) {
  return text_architecture(model_type, "").defaults();
}

void TextSizes::visit(OptionVisitor& v) {
  v.option("vocab_size", vocab_size, {.help = "tokens; 0 = the tokenizer's", .min = 0, .max = 10'000'000});
  v.option("hidden_size", hidden_size, {.help = "width; 0 = the architecture's", .min = 0, .max = 65536});
  v.option("heads", heads, {.help = "0 = one for each 64 of hidden_size", .min = 0, .max = 1024});
  v.option("intermediate_size", intermediate_size,
           {.help = "width of the feed-forward layer; 0 = 4 times hidden_size (modernbert: 1.5 times)",
            .min = 0,
            .max = 1'000'000});
  v.option("max_positions", max_positions, {.help = "0 = the architecture's", .min = 0, .max = 10'000'000});
  v.option("decoder_layers", decoder_layers, {.help = "bart; 0 = as layers", .min = 0, .max = 1000});
  v.option("dropout", dropout, {.help = "-1 = the architecture's", .min = -1, .max = 1});
  v.option("tie_embeddings", tie_embeddings, {.help = "the output layer is the table of embeddings"});
}

TextConfig text_config(const std::string& model_type, const TextSizes& sizes, TextHead head) {
  TextConfig config = default_text_config(model_type);
  config.head = head;
  set_if(config.vocab_size, sizes.vocab_size);
  set_if(config.layers, sizes.layers);
  set_if(config.max_positions, sizes.max_positions);
  if (sizes.hidden_size > 0) {
    config.hidden_size = sizes.hidden_size;
    config.heads = std::max<std::int64_t>(1, sizes.hidden_size / 64);
    config.intermediate_size = model_type == "modernbert" ? sizes.hidden_size * 3 / 2 : sizes.hidden_size * 4;
  }
  set_if(config.heads, sizes.heads);
  set_if(config.intermediate_size, sizes.intermediate_size);
  if (config.encoder_decoder()) {
    config.decoder_layers = config.layers;
    config.decoder_heads = config.heads;
    config.decoder_intermediate_size = config.intermediate_size;
    set_if(config.decoder_layers, sizes.decoder_layers);
  }
  if (model_type == "modernbert") {
    config.global_layer.assign(static_cast<std::size_t>(config.layers), false);
    for (std::size_t i = 0; i < config.global_layer.size(); i += 3) config.global_layer[i] = true;
  }
  if (config.intermediate_size == 0) config.intermediate_size = 4 * config.hidden_size;
  if (sizes.dropout >= 0) {
    config.hidden_dropout = config.attention_dropout = sizes.dropout;
    if (model_type == "gpt2") config.embedding_dropout = sizes.dropout;
  }
  config.tie_embeddings = sizes.tie_embeddings;
  // Ids beyond a vocabulary of one's own mean nothing; the tokenizer says what they are.
  for (std::int64_t* id : {&config.pad_id, &config.bos_id, &config.eos_id, &config.cls_id, &config.sep_id,
                           &config.decoder_start_id})
    if (*id >= config.vocab_size) *id = -1;
  check_text_config(config, "model '" + model_type + "'", /*from_file=*/false);
  return config;
}

void check_text_config(const TextConfig& config, const std::string& source, bool from_file) {
  const ExitCode code = from_file ? ExitCode::bad_data : ExitCode::usage;
  const TextArchitecture& architecture = text_architecture(config.model_type, from_file ? source : "");
  const TextKeys& keys = architecture.keys;
  const auto divisible = [&](std::int64_t heads, const char* key) {
    if (config.hidden_size % heads != 0)
      fail(code, "{}: {}: got {}, expected a divisor of {} {}", source, from_file ? key : "heads", heads,
           from_file ? keys.hidden : "hidden_size", config.hidden_size);
  };
  divisible(config.heads, keys.heads);
  if (config.encoder_decoder()) divisible(config.decoder_heads, keys.decoder_heads);
  if (keys.modern && config.hidden_size / config.heads % 2 != 0)
    fail(code, "{}: rotary positions: got heads of width {}, expected an even width", source,
         config.hidden_size / config.heads);
  // Its three tables of token vectors would then be trained apart: nobody publishes such a model.
  if (config.encoder_decoder() && !config.tie_embeddings)
    fail(code, "{}: {} false is not supported for bart", source,
         from_file ? "tie_word_embeddings" : "tie_embeddings");
  if (architecture.classes.of(config.head) == nullptr)
    fail(code, "{}: {} has no head for {}", source, config.model_type, text_head_name(config.head));
  if (!config.label_names.empty() &&
      static_cast<std::int64_t>(config.label_names.size()) != config.num_labels)
    fail(code, "{}: {} label names for {} labels", source, config.label_names.size(), config.num_labels);
}

}  // namespace mgd
