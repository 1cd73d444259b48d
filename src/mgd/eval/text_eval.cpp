#include "mgd/eval/text_eval.h"

#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/cosine_similarity.h>
#include <ATen/ops/empty.h>

#include <cmath>

#include "mgd/eval/text_metrics.h"
#include "mgd/nn/autocast.h"
#include "mgd/ops/masked_cross_entropy.h"
#include "mgd/types/batch.h"

namespace mgd {

namespace {

template <class Visit>
void for_epoch(BatchStream& stream, const Visit& visit) {
  stream.seek(0, 0);
  for (std::int64_t step = 0; step < stream.steps_per_epoch(); ++step)
    for (const Batch& batch : stream.next().micro) visit(batch);
}

std::vector<double> doubles_of(const at::Tensor& values) {
  const at::Tensor plain = values.to(at::kCPU, at::kDouble).contiguous();
  const double* data = plain.const_data_ptr<double>();
  return {data, data + plain.numel()};
}

}  // namespace

double LanguageMetrics::perplexity() const {
  return std::exp(loss);
}

Record answer(Model& model, const Batch& batch, const TextEvalOptions& options) {
  const at::NoGradGuard no_grad;
  AutocastGuard autocast(autocast_wanted(options.precision), options.device);
  Forward forward;
  return model.run(batch_to(batch, options.device), forward);
}

LanguageMetrics evaluate_language(Model& model, BatchStream& stream, const TextEvalOptions& options,
                                  const std::function<void(const at::Tensor&)>& see) {
  LanguageMetrics metrics;
  double nats = 0, right = 0;
  for_epoch(stream, [&](const Batch& batch) {
    if (batch.num_targets() == 0) return;
    const Record output = answer(model, batch, options);
    const at::Tensor targets = batch.target.to(options.device);
    const TokenScores scores = score_targets(output.head, targets);
    nats += scores.nll.to(at::kDouble).sum().item<double>();
    right += scores.best.eq(targets).sum().item<double>();
    metrics.targets += batch.num_targets();
    if (see) see(batch.target);
  });
  if (metrics.targets > 0) {
    metrics.loss = nats / static_cast<double>(metrics.targets);
    metrics.accuracy = right / static_cast<double>(metrics.targets);
  }
  return metrics;
}

Answers answer_texts(Model& model, BatchStream& stream, const TextEvalOptions& options) {
  Answers answers;
  std::vector<at::Tensor> logits;
  for_epoch(stream, [&](const Batch& batch) {
    logits.push_back(answer(model, batch, options).logits.to(at::kCPU, at::kFloat));
    for (std::int64_t i = 0; i < batch.target.size(0); ++i)
      answers.labels.push_back(batch.target[i].item<std::int64_t>());
  });
  answers.logits = logits.empty() ? at::empty({0, 1}, at::kFloat) : at::cat(logits);
  return answers;
}

SimilarityMetrics evaluate_similarity(Model& model, BatchStream& stream, const TextEvalOptions& options) {
  std::vector<double> cosines, scores;
  for_epoch(stream, [&](const Batch& batch) {
    const at::Tensor embedding =
        answer(model, batch, options).embedding.to(at::kFloat);  // (2 B, H): pairs side by side
    const at::Tensor pairs = embedding.view({-1, 2, embedding.size(1)});
    const auto cosine = doubles_of(at::cosine_similarity(pairs.select(1, 0), pairs.select(1, 1), 1));
    const auto score = doubles_of(batch.target);
    cosines.insert(cosines.end(), cosine.begin(), cosine.end());
    scores.insert(scores.end(), score.begin(), score.end());
  });
  return {.pairs = static_cast<std::int64_t>(scores.size()),
          .spearman = spearman(cosines, scores),
          .pearson = pearson(cosines, scores)};
}

}  // namespace mgd
