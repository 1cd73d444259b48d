#include "mgd/model/text_model.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/tensor.h>

#include <optional>

#include "mgd/core/error.h"
#include "mgd/model/text_names.h"
#include "mgd/model/text_options.h"
#include "mgd/model/text_pooling.h"

namespace mgd {

namespace {

std::string joined(const std::string& prefix, const std::string& name) {
  return prefix.empty() || name.empty() ? prefix + name : prefix + "." + name;
}

bool is_language_model(TextHead head) {
  return head == TextHead::masked_lm || head == TextHead::causal_lm;
}

SampleRows one_row_each(const std::vector<std::int64_t>& ids) {
  SampleRows rows{.offsets = {0}, .ids = ids};
  for (std::size_t s = 0; s < ids.size(); ++s) rows.offsets.push_back(static_cast<std::int64_t>(s) + 1);
  return rows;
}

// What BART's decoder reads when nobody says: each sequence moved by one behind the start token.
PackedTokens shifted(const PackedTokens& tokens, std::int64_t start) {
  PackedTokens moved{.ids = tokens.ids.roll(1), .positions = tokens.positions, .offsets = tokens.offsets};
  for (std::size_t s = 0; s + 1 < tokens.offsets.size(); ++s)
    if (tokens.offsets[s] < tokens.offsets[s + 1]) moved.ids[tokens.offsets[s]] = start;
  return moved;
}

}  // namespace

TextModel::TextModel(const TextConfig& given, double deviation, RandomStream& random) : config_(given) {
  TextConfig config = given;
  config.initializer_range = deviation;
  if (config.is_static()) {
    table_ = &make_child<StaticTable>("", config);
    return;
  }
  const TextNames& names = text_names(config.model_type);
  const bool bare = config.head == TextHead::encoder;
  const std::string prefix = bare ? "" : names.prefix;
  if (names.shared != nullptr)
    shared_ = &make_child<Embedding>(joined(prefix, names.shared), config.vocab_size, config.hidden_size,
                                     config.initializer_range, config.pad_id, random);
  encoder_ = &make_child<TransformerStack>(joined(prefix, names.encoder.path), names.encoder,
                                           encoder_options(config), shared_, random);
  if (config.encoder_decoder())
    decoder_ = &make_child<TransformerStack>(joined(prefix, names.decoder.path), names.decoder,
                                             decoder_options(config), shared_, random);
  const HeadOptions head = head_options(config);
  if (is_language_model(config.head)) {
    language_ = &make_child<LanguageHead>("", names.lm, head, random);
  } else if (!bare) {
    const bool sequence = config.head == TextHead::sequence_classification;
    classifier_ = &make_child<ClassifierHead>("", sequence ? names.sequence : names.token, head, random);
  } else if (config.pooler && names.pooler != nullptr) {
    make_child<Linear>(
        names.pooler,
        LinearOptions{
            .in = config.hidden_size, .out = config.hidden_size, .deviation = config.initializer_range},
        random);
  }
}

std::vector<std::string> TextModel::layer_paths() const {
  std::vector<std::string> paths;
  for (const TransformerStack* stack : {encoder_, decoder_})
    for (std::size_t i = 0; stack != nullptr && i < stack->num_layers(); ++i)
      paths.push_back(stack->layer_path(i));
  return paths;
}

// RoBERTa's table begins with rows for the padding.
std::int64_t TextModel::max_tokens() const {
  return config_.max_positions - (config_.model_type == "roberta" ? config_.pad_id + 1 : 0);
}

AnswerKind TextModel::answer_kind() const {
  if (config_.head == TextHead::encoder) return AnswerKind::embedding;
  return is_language_model(config_.head) ? AnswerKind::vocabulary : AnswerKind::classes;
}

std::vector<AttentionNodes> TextModel::attention_nodes() const {
  if (table_ != nullptr) return {};
  const AttentionNames& names = text_names(config_.model_type).encoder.layer.attention;
  std::vector<AttentionNodes> layers;
  for (std::size_t i = 0; i < encoder_->num_layers(); ++i) {
    const LayerOptions& options = encoder_->layer_options(i);
    AttentionNodes& layer = layers.emplace_back(
        AttentionNodes{.nodes = {},
                       .hidden = config_.hidden_size,
                       .heads = options.attention.heads,
                       .causal = options.attention.causal,
                       .window = options.attention.window,
                       .rope_theta = options.rope_theta,
                       .input = i == 0 ? encoder_->embeddings_node() : encoder_->layer_path(i - 1),
                       .output = encoder_->layer_path(i)});
    for (const char* name : {names.qkv, names.query, names.key, names.value})
      if (name != nullptr) layer.nodes.push_back(joined(joined(encoder_->layer_path(i), names.path), name));
  }
  return layers;
}

NodeInfo TextModel::info_of(const std::string& node, const at::Tensor& activation) const {
  NodeInfo info{.sizes = activation.sizes().slice(1).vec()};
  if (activation.dim() != 2) return info;
  const bool decoder = decoder_ != nullptr && decoder_->has_node(node);
  if (decoder || (encoder_ != nullptr && encoder_->has_node(node)))
    info.axes = Axes::rows;
  else if (node == kEmbeddingNode)
    info.axes = Axes::vector, info.of_sequence = true;
  info.of_decoder = decoder;
  return info;
}

std::string TextModel::default_tap() const {
  return table_ != nullptr ? kEmbeddingNode : layer_paths().back();
}

at::Tensor TextModel::sequence_rows(const at::Tensor& hidden,
                                    const std::vector<std::int64_t>& offsets) const {
  const std::string pooling = config_.decoder()                    ? "last"
                              : config_.model_type == "modernbert" ? config_.classifier_pooling
                                                                   : "cls";
  return pool_rows(hidden, offsets, pooling);
}

Record TextModel::answer(const Batch& batch, Forward& forward) {
  const auto embedding = [&](const at::Tensor& pooled) {
    return Record{.embedding = forward.node(kEmbeddingNode, config_.normalize ? unit_rows(pooled) : pooled)};
  };
  if (table_ != nullptr) return embedding(table_->forward(batch.tokens));
  const std::vector<std::int64_t> ids = sequence_keys(batch, batch.tokens.num_sequences());
  at::Tensor hidden = encoder_->forward(batch.tokens, {.ids = ids}, forward);
  std::vector<std::int64_t> offsets = batch.tokens.offsets;
  if (config_.head == TextHead::encoder) return embedding(pool_rows(hidden, offsets, config_.pooling));
  if (decoder_ != nullptr) {
    const bool given = batch.decoder_tokens.ids.defined();
    if (!given && config_.head != TextHead::sequence_classification)
      fail(ExitCode::usage, "{}: the batch has no decoder_tokens", config_.model_type);
    const PackedTokens target =
        given ? batch.decoder_tokens : shifted(batch.tokens, config_.decoder_start_id);
    hidden = decoder_->forward(target, {.ids = ids, .memory = hidden, .memory_offsets = offsets}, forward);
    offsets = target.offsets;
  }
  if (language_ != nullptr) return {.head = target_head(hidden, batch.target_rows, forward)};
  const bool sequence = config_.head == TextHead::sequence_classification;
  return {.logits = sequence
                        ? classifier_->forward(sequence_rows(hidden, offsets), one_row_each(ids), forward)
                        : classifier_->forward(hidden, {.offsets = offsets, .ids = ids}, forward)};
}

LmHead TextModel::target_head(const at::Tensor& hidden, const at::Tensor& rows, Forward& forward) {
  if (!rows.defined()) return lm_head(hidden, forward);
  if (forward.skips_hidden()) return lm_head(hidden.index_select(0, rows), forward);
  LmHead head = lm_head(hidden, forward);
  head.rows = rows;
  return head;
}

LmHead TextModel::lm_head(const at::Tensor& rows, Forward& forward) {
  if (language_ == nullptr) fail(ExitCode::usage, "{}: a language model is needed here", config_.model_type);
  return language_->forward(rows, encoder_->tokens().weight(), forward);
}

KvCache TextModel::new_cache(std::int64_t sequences) const {
  if (!config_.decoder() || decoder_ != nullptr || sequences < 0)
    fail(ExitCode::usage, "{}: new_cache({}): needs a decoder without an encoder, and 0 sequences or more",
         config_.model_type, sequences);
  return {config_.layers, sequences};
}

KvCache TextModel::new_cache(const PackedTokens& source, Forward& forward) {
  if (decoder_ == nullptr)
    fail(ExitCode::usage, "{}: new_cache of a source needs an encoder-decoder", config_.model_type);
  const at::NoGradGuard no_grad;
  const at::Tensor memory =
      encoder_->forward(source, {.ids = sequence_keys({}, source.num_sequences())}, forward);
  KvCache cache(config_.decoder_layers, source.num_sequences());
  cache.set_source(decoder_->project_source(memory, forward), source.offsets);
  return cache;
}

at::Tensor TextModel::decode(const PackedTokens& tokens, KvCache& cache, Forward& forward) {
  if (!config_.decoder() || cache.has_source() != (decoder_ != nullptr))
    fail(ExitCode::usage, "{}: decode: needs a decoder and a cache that new_cache of this model made",
         config_.model_type);
  const at::NoGradGuard no_grad;
  cache.begin(tokens.offsets);
  TransformerStack& stack = decoder_ != nullptr ? *decoder_ : *encoder_;
  return stack.forward(tokens, {.ids = sequence_keys({}, tokens.num_sequences()), .cache = &cache}, forward);
}

std::unique_ptr<TextModel> make_text_model(const TextConfig& config, std::optional<std::uint64_t> seed) {
  if (!config.is_static())
    check_text_config(config, "model '" + config.model_type + "'", /*from_file=*/false);
  RandomStream random(random_key(seed.value_or(0), "model/init"), 0, 0);
  auto model = std::make_unique<TextModel>(config, seed ? config.initializer_range : 0.0, random);
  model->set_path("");
  model->set_requires_grad(true);
  return model;
}

at::Tensor logits_of(const LmHead& head) {
  return at::linear(head.hidden, head.weight, head.bias.defined() ? std::optional(head.bias) : std::nullopt);
}

}  // namespace mgd
