// The figures by which a text model is judged at its task.
#pragma once

#include <memory>

#include "mgd/data/queued_stream.h"
#include "mgd/data/text_source.h"
#include "mgd/eval/figures.h"
#include "mgd/eval/text_eval.h"
#include "mgd/mask/objective.h"
#include "mgd/text/tokenizer.h"

namespace mgd {

// Batches of a source as an objective makes them. The source must outlive the stream.
std::unique_ptr<BatchStream> stream_texts(const TextSource& source,
                                          std::shared_ptr<const Objective> objective,
                                          const StreamOptions& options);

// One epoch of a stream of make_eval_objective(task). Language models: loss, perplexity, accuracy (of the
// hidden or next token), for causal ones (task clm) bits_per_character. classify: accuracy, loss,
// macro_f1, matthews. embed: spearman, pearson.
Figures measure_texts(const std::string& task, Model& model, BatchStream& stream, const Tokenizer& tokenizer,
                      const TextEvalOptions& options);

}  // namespace mgd
