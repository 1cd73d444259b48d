// What flows through one step, as plain structs of tensors.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "mgd/types/tokens.h"
#include "mgd/types/value.h"

namespace mgd {

inline constexpr int kSequenceShift = 40;  // no dataset's numbers reach it

// What is to be answered.
enum class TargetType {
  none,     // nothing, or nobody said what
  classes,  // (B) int64 class index
  scores,   // (B) float
  tokens,   // (n) int64 token id of each target row
};

// Who knows samples by name.
class SampleNames {
 public:
  virtual ~SampleNames() = default;
  virtual std::string name(std::int64_t sample) const = 0;
};

// One micro-batch of B samples. A task fills what it uses and leaves the rest undefined.
struct Batch {
  at::Tensor input;          // images: (B, C, Y, X) float, normalised
  at::Tensor teacher_input;  // the same samples as a teacher of another size sees them; undefined: as in
                             // `input`, or made when they are asked for (ShownTeacher)
  PackedTokens tokens;  // text: what the encoder, or a decoder alone, reads; sentence pairs to compare: 2 B
                        // sequences, 2 i and 2 i + 1 are a pair
  PackedTokens decoder_tokens;  // encoder-decoder: what its decoder reads; as many sequences as `tokens`
  // Rows of `tokens` (of `decoder_tokens` where there are some) whose next or hidden token is a target;
  // language models give one row of LmHead::hidden for each. (n) int64; undefined: every row
  at::Tensor target_rows;
  TargetType target_type = TargetType::none;
  at::Tensor target;        // by its kind
  at::Tensor target_probs;  // (B, K) float: soft targets of MixUp and CutMix; undefined when targets are hard
  std::vector<std::int64_t>
      sample_ids;  // B, index of each sample in its dataset: the key of everything random
  // S, one for each sequence of `tokens`: the key of what is random within it. Empty: sequence s is sample s.
  // Sequence k of sample i is i + (k << kSequenceShift), from k = 0 on.
  std::vector<std::int64_t> sequence_ids;
  const SampleNames* names = nullptr;  // of sample_ids; borrowed from their source; null: nobody knows them
  std::int64_t view = -1;  // which augmented variant of its samples this is; -1: one that never comes again
  std::int64_t size() const { return static_cast<std::int64_t>(sample_ids.size()); }
  std::int64_t num_targets() const { return target.defined() ? target.size(0) : 0; }
};

// Tokens that a node's rows are of.
inline const PackedTokens& tokens_of(const NodeInfo& rows, const Batch& batch) {
  return rows.of_decoder ? batch.decoder_tokens : batch.tokens;
}

// Keys of randomness, one a sequence. A batch that says nothing is nobody's training batch: places will do.
std::vector<std::int64_t> sequence_keys(const Batch& batch, std::int64_t num_sequences);

// B + 1: the sequences of sample i are [i, i + 1) of these.
std::vector<std::int64_t> sequence_offsets(const Batch& batch);

// The batch with every tensor on `device`; the same tensors when they are there.
Batch batch_to(const Batch& batch, at::Device device);
// The samples at these places of it, in this order; of a text all its sequences and targets.
Batch select_samples(const Batch& batch, std::span<const std::int64_t> places);
// One after the other; at least one. Views and what is defined are those of the first.
Batch join_batches(std::span<const Batch> parts);

inline constexpr const char* kEmbeddingNode = "embedding";  // of every sentence encoder

// What a model answers with: which of a Record's first three it fills.
enum class AnswerKind { classes, embedding, vocabulary };

// A layer of attention within sequences. `nodes` are its projections, each (N, H) before any rotation by
// position: query, key and value, or one node with the three side by side (N, 3 H).
struct AttentionNodes {
  std::vector<std::string> nodes;
  std::int64_t hidden = 0;  // H
  std::int64_t heads = 0;   // of H / heads values; scores are divided by the root of that
  bool causal = false;
  std::int64_t window = -1;       // as in AttentionOptions
  double rope_theta = 0;          // of the rotary positions of queries and keys (nn/text_layers.h); 0: none
  std::string input{}, output{};  // nodes (N, H): what the layer around it reads, and what it gives
};

// What a model gives for a batch. A task fills what it uses and leaves the rest undefined.
struct Record {
  at::Tensor logits;                   // (B, K) classifiers; (N, K) token classifiers
  at::Tensor embedding;                // (S, H) sentence encoders, a row a sequence
  LmHead head;                         // language models: scores over the vocabulary, not computed yet
  TopScores top;                       // of teachers whose scores are kept, in place of `head`
  std::map<std::string, Value> nodes;  // that the pass was asked for
};

Record record_to(Record record, at::Device device);
// The samples at these places, in this order. Without heads of language models and their scores, whose rows
// are those of a batch's targets.
Record select_samples(const Record& record, std::span<const std::int64_t> places);
// Of batches one after the other; at least one. Without heads of language models, whose rows no loss relates
// to each other.
Record join_records(std::span<const Record* const> parts);

}  // namespace mgd
