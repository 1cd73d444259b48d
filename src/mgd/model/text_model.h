// The masked Transformers: BERT, RoBERTa, DistilBERT, ModernBERT (encoders), GPT-2 (decoder) and BART
// (encoder-decoder), with tensors and taps under the names of transformers, on packed tokens; and, without
// any layer, a static table.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/format/text_config.h"
#include "mgd/model/model.h"
#include "mgd/model/static_table.h"
#include "mgd/model/text_head.h"
#include "mgd/model/transformer.h"
#include "mgd/nn/kv_cache.h"

namespace mgd {

class TextModel : public Model {
 public:
  // See make_text_model. `deviation`: of the first weights, in place of config.initializer_range.
  TextModel(const TextConfig& config, double deviation, RandomStream& random);

  const TextConfig& config() const { return config_; }
  std::int64_t max_tokens() const;  // of one sequence
  const std::string& architecture() const override { return config_.model_type; }
  AnswerKind answer_kind() const override;
  std::vector<AttentionNodes> attention_nodes() const override;
  NodeInfo info_of(const std::string& node, const at::Tensor& activation) const override;
  std::string default_tap() const override;  // the last layer (of the decoder, where there is one); of a
                                             // static table the embedding
  bool of_head(const std::string& tensor) const override;  // what a bare model has not, and a pooler
  std::vector<std::string> layer_paths() const;            // nodes of the layers, the encoder's first

  // Of run(), by config().head: encoder -> embedding (S, H); masked_lm, causal_lm -> head of
  // batch.target_rows; sequence_classification -> logits (S, K); token_classification -> logits (N, K). BART
  // reads `tokens` with its encoder and `decoder_tokens` with its decoder; a classifier without
  // decoder_tokens reads `tokens` shifted by one, as BART does; its encoder head pools the encoder. Dropout
  // acts in training, by batch.sample_ids. Error(usage) for ids, types and positions beyond the tables.

  // Generation. A cache is for `sequences` (decoder), or for those of `source`, which is encoded once.
  KvCache new_cache(std::int64_t sequences) const;
  KvCache new_cache(const PackedTokens& source, Forward& forward);
  // New tokens of each sequence (ragged; none is allowed) -> their hidden rows (N, H); they are added to the
  // cache. Without positions they continue where the cache ends. Needs a decoder and no gradient.
  at::Tensor decode(const PackedTokens& tokens, KvCache& cache, Forward& forward);
  // The output layer for hidden rows (n, H). Needs a language model.
  LmHead lm_head(const at::Tensor& rows, Forward& forward);

 protected:
  Record answer(const Batch& batch, Forward& forward) override;

 private:
  // `rows`: those of the targets; undefined: all.
  LmHead target_head(const at::Tensor& hidden, const at::Tensor& rows, Forward& forward);
  at::Tensor sequence_rows(const at::Tensor& hidden, const std::vector<std::int64_t>& offsets) const;

  TextConfig config_;
  Embedding* shared_ = nullptr;
  TransformerStack *encoder_ = nullptr, *decoder_ = nullptr;  // GPT-2 has an "encoder" that is causal
  StaticTable* table_ = nullptr;                              // of a static model, which has no stack
  LanguageHead* language_ = nullptr;
  ClassifierHead* classifier_ = nullptr;
};

// Initialised from (seed) as transformers does: N(0, initializer_range^2), biases 0, norms 1; GPT-2 and
// ModernBERT divide the deviation of the layers that add to the residual by sqrt(2 layers). ModernBERT's
// draws are not truncated at two deviations here. Without a seed the weights are 0, for a file to fill: the
// draws of a model of 100 million weights take seconds. A static table is zeros in either case: it comes from
// a folder.
std::unique_ptr<TextModel> make_text_model(const TextConfig& config, std::optional<std::uint64_t> seed);

// The head whose tensors are there, by their names; none: a body alone.
std::optional<TextHead> head_of_tensors(const std::string& model_type,
                                        const std::map<std::string, at::Tensor>& tensors);

// Files of any age under the names of the model's tensors: gamma and beta, a base model's prefix there or
// not, what tools of training put in front of all names, tied weights once or twice, buffers that are no
// weights, heads and poolers that this model lacks. What is left that does not fit stays, for load_state to
// complain about. `fresh_head`: a head that the file lacks keeps its initial values, and the names of its
// tensors are returned.
struct AdaptedWeights {
  std::map<std::string, at::Tensor> tensors;
  std::vector<std::string> fresh;
  std::vector<std::string> unused;  // of heads and poolers that this model lacks
  std::string wrapper;              // what stood in front of all names and is left out: "module."
};
AdaptedWeights adapt_weights(const TextModel& model, std::map<std::string, at::Tensor> tensors,
                             bool fresh_head = false);

at::Tensor logits_of(const LmHead& head);  // (n, V)

}  // namespace mgd
