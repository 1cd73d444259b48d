#include "mgd/eval/text_figures.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/data/text_loader.h"
#include "mgd/eval/text_metrics.h"

namespace mgd {

namespace {

Figures language_figures(const LanguageMetrics& m) {
  if (m.targets == 0)
    fail(ExitCode::bad_data,
         "no token of these texts is hidden or follows another: there is nothing to measure a language model "
         "by");
  return {{"loss", m.loss}, {"perplexity", m.perplexity()}, {"accuracy", m.accuracy}};
}

Figures class_figures(const Answers& answers) {
  const ClassifyMetrics m = classify_metrics(answers.logits, answers.labels);
  return {{"accuracy", m.accuracy},
          {"loss", m.loss},
          {"macro_f1", macro_f1(m.confusion)},
          {"matthews", matthews(m.confusion)}};
}

std::int64_t count_characters(const std::string& utf8) {
  return std::count_if(utf8.begin(), utf8.end(),
                       [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; });
}

}  // namespace

std::unique_ptr<BatchStream> stream_texts(const TextSource& source,
                                          std::shared_ptr<const Objective> objective,
                                          const StreamOptions& options) {
  return std::make_unique<TextLoader>(
      source,
      [objective](std::span<const TextSample> samples, std::int64_t epoch) {
        return objective->make(samples, epoch);
      },
      options);
}

Figures measure_texts(const std::string& task, Model& model, BatchStream& stream, const Tokenizer& tokenizer,
                      const TextEvalOptions& options) {
  if (task == "classify") return class_figures(answer_texts(model, stream, options));
  if (task == "embed") {
    const SimilarityMetrics m = evaluate_similarity(model, stream, options);
    return {{"spearman", m.spearman}, {"pearson", m.pearson}};
  }
  if (task != "clm") return language_figures(evaluate_language(model, stream, options));
  std::int64_t characters = 0;
  const LanguageMetrics m = evaluate_language(model, stream, options, [&](const at::Tensor& targets) {
    const auto* ids = targets.const_data_ptr<std::int64_t>();
    characters += count_characters(tokenizer.decode({ids, static_cast<std::size_t>(targets.numel())}));
  });
  Figures figures = language_figures(m);
  if (characters > 0)
    figures.emplace_back("bits_per_character", m.nats() / std::log(2) / static_cast<double>(characters));
  return figures;
}

}  // namespace mgd
