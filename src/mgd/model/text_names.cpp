#include "mgd/model/text_names.h"

#include "mgd/core/error.h"
#include "mgd/format/static_config.h"

namespace mgd {

namespace {

constexpr LayerNames kBertLayer{
    .attention = {.path = "attention",
                  .query = "self.query",
                  .key = "self.key",
                  .value = "self.value",
                  .out = "output.dense",
                  .core = "self"},
    .attention_norm = "attention.output.LayerNorm",
    .up = "intermediate.dense",
    .activation = "intermediate",
    .down = "output.dense",
    .norm = "output.LayerNorm",
};

constexpr StackNames kBertStack{
    .tokens = "embeddings.word_embeddings",
    .positions = "embeddings.position_embeddings",
    .types = "embeddings.token_type_embeddings",
    .embedding_norm = "embeddings.LayerNorm",
    .layers = "encoder.layer",
    .layer = kBertLayer,
};

constexpr TextNames kBert{
    .prefix = "bert",
    .encoder = kBertStack,
    .pooler = "pooler.dense",
    .lm = {.dense = "cls.predictions.transform.dense",
           .norm = "cls.predictions.transform.LayerNorm",
           .out = "cls.predictions.decoder",
           .bias = "cls.predictions.bias"},
    .sequence = {.dense = "bert.pooler.dense", .out = "classifier"},
    .token = {.out = "classifier"},
};

constexpr TextNames kRoberta{
    .prefix = "roberta",
    .encoder = kBertStack,
    .pooler = "pooler.dense",
    .lm = {.dense = "lm_head.dense",
           .norm = "lm_head.layer_norm",
           .out = "lm_head.decoder",
           .bias = "lm_head.bias"},
    .sequence = {.dense = "classifier.dense", .out = "classifier.out_proj"},
    .token = {.out = "classifier"},
};

constexpr TextNames kDistilbert{
    .prefix = "distilbert",
    .encoder = {.tokens = "embeddings.word_embeddings",
                .positions = "embeddings.position_embeddings",
                .embedding_norm = "embeddings.LayerNorm",
                .layers = "transformer.layer",
                .layer = {.attention = {.path = "attention",
                                        .query = "q_lin",
                                        .key = "k_lin",
                                        .value = "v_lin",
                                        .out = "out_lin"},
                          .attention_norm = "sa_layer_norm",
                          .up = "ffn.lin1",
                          .activation = "ffn.activation",
                          .down = "ffn.lin2",
                          .norm = "output_layer_norm"}},
    .lm = {.dense = "vocab_transform",
           .norm = "vocab_layer_norm",
           .out = "vocab_projector",
           .bias = "vocab_projector.bias"},
    .sequence = {.dense = "pre_classifier", .out = "classifier"},
    .token = {.out = "classifier"},
};

constexpr TextNames kModernbert{
    .prefix = "model",
    .encoder = {.tokens = "embeddings.tok_embeddings",
                .embedding_norm = "embeddings.norm",
                .layers = "layers",
                .final_norm = "final_norm",
                .layer = {.attention = {.path = "attn", .qkv = "Wqkv", .out = "Wo"},
                          .attention_norm = "attn_norm",
                          .up = "mlp.Wi",
                          .activation = "mlp.drop",
                          .down = "mlp.Wo",
                          .norm = "mlp_norm"}},
    .lm = {.dense = "head.dense", .norm = "head.norm", .out = "decoder", .bias = "decoder.bias"},
    .sequence = {.dense = "head.dense", .norm = "head.norm", .out = "classifier"},
    .token = {.dense = "head.dense", .norm = "head.norm", .out = "classifier"},
};

constexpr TextNames kGpt2{
    .prefix = "transformer",
    .encoder = {.tokens = "wte",
                .positions = "wpe",
                .layers = "h",
                .final_norm = "ln_f",
                .layer = {.attention = {.path = "attn", .qkv = "c_attn", .out = "c_proj"},
                          .attention_norm = "ln_1",
                          .up = "mlp.c_fc",
                          .activation = "mlp.act",
                          .down = "mlp.c_proj",
                          .norm = "ln_2"}},
    .lm = {.out = "lm_head"},
    .sequence = {.out = "score"},
    .token = {.out = "classifier"},
};

constexpr AttentionNames bart_attention(const char* path) {
  return {.path = path, .query = "q_proj", .key = "k_proj", .value = "v_proj", .out = "out_proj"};
}

constexpr StackNames bart_stack(const char* path) {
  return {.path = path,
          .positions = "embed_positions",
          .embedding_norm = "layernorm_embedding",
          .layers = "layers",
          .layer = {.attention = bart_attention("self_attn"),
                    .attention_norm = "self_attn_layer_norm",
                    .cross = bart_attention("encoder_attn"),
                    .cross_norm = "encoder_attn_layer_norm",
                    .up = "fc1",
                    .activation = "activation_fn",
                    .down = "fc2",
                    .norm = "final_layer_norm"}};
}

constexpr TextNames kBart{
    .prefix = "model",
    .shared = "shared",
    .encoder = bart_stack("encoder"),
    .decoder = bart_stack("decoder"),
    .lm = {.out = "lm_head", .bias = "final_logits_bias"},
    .sequence = {.dense = "classification_head.dense", .out = "classification_head.out_proj"},
};

constexpr TextNames kStaticNames{};  // a table alone: no stack, no head

}  // namespace

const TextNames& text_names(const std::string& model_type) {
  if (model_type == kStaticModel) return kStaticNames;
  if (model_type == "bert") return kBert;
  if (model_type == "roberta") return kRoberta;
  if (model_type == "distilbert") return kDistilbert;
  if (model_type == "modernbert") return kModernbert;
  if (model_type == "gpt2") return kGpt2;
  MGD_ASSERT(model_type == "bart");
  return kBart;
}

}  // namespace mgd
