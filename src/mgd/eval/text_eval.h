// Measures of a text model over one epoch of batches.
#pragma once

#include <functional>

#include "mgd/data/batch_stream.h"
#include "mgd/eval/classify.h"
#include "mgd/model/model.h"

namespace mgd {

struct TextEvalOptions {
  std::string precision = "fp32";  // fp32 | bf16
  at::Device device = at::kCPU;
};

// Language models (mlm, clm, denoise), at the targets of the batches.
struct LanguageMetrics {
  std::int64_t targets = 0;
  double loss = 0;      // nats a target; 0 without targets
  double accuracy = 0;  // 0..1: the most likely token is the target
  double perplexity() const;
  double nats() const { return loss * static_cast<double>(targets); }
};
// `see` gets the target ids of each batch, e.g. to count their characters.
LanguageMetrics evaluate_language(Model& model, BatchStream& stream, const TextEvalOptions& options,
                                  const std::function<void(const at::Tensor& targets)>& see = {});

// Classifiers: logits and labels of every sample, for classify_metrics.
Answers answer_texts(Model& model, BatchStream& stream, const TextEvalOptions& options);

// Sentence encoders on pairs with a score: cosine of the two embeddings against the score.
struct SimilarityMetrics {
  std::int64_t pairs = 0;
  double spearman = 0, pearson = 0;  // -1..1
};
SimilarityMetrics evaluate_similarity(Model& model, BatchStream& stream, const TextEvalOptions& options);

// Eval mode, no gradient, on the device of the options.
Record answer(Model& model, const Batch& batch, const TextEvalOptions& options);

}  // namespace mgd
