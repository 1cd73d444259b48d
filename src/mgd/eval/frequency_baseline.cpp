#include "mgd/eval/frequency_baseline.h"

#include "mgd/core/error.h"
#include "mgd/data/text_dataset.h"
#include "mgd/eval/text_figures.h"
#include "mgd/eval/unigram.h"

namespace mgd {

namespace {

constexpr std::int64_t kBatch = 32;

UnigramModel count_training_tokens(const TextSource& train, const Tokenizer& tokenizer) {
  UnigramModel model(tokenizer.vocab_size());
  for (std::int64_t i = 0; i < train.size(); ++i)
    for (TextSequence& sequence : train.sample(i, 0).sequences) {
      // Never a target of a masked model, and of a causal one only where documents end.
      std::erase_if(sequence.ids, [&](std::int64_t id) { return tokenizer.is_special(id); });
      model.count(sequence.ids);
    }
  return model;
}

}  // namespace

double frequency_baseline(const Config& config) {
  const Tokenizer tokenizer = Tokenizer::load(tokenizer_path(config));
  const TextDataset data = open_text(config, tokenizer, token_cache_dir(config));
  if (data.validation == nullptr) fail(ExitCode::usage, "data.validation: there is nothing to measure on");
  const UnigramModel model = count_training_tokens(*data.train, tokenizer);
  const std::shared_ptr<const Objective> objective =
      make_eval_objective(config.task, config.objective, roles_of(tokenizer));
  const auto stream = stream_texts(*data.validation, objective, {.batch_size = kBatch, .threads = 0});
  std::vector<std::int64_t> targets;
  stream->seek(0, 0);
  for (std::int64_t step = 0; step < stream->steps_per_epoch(); ++step)
    for (const Batch& batch : stream->next().micro) {
      if (batch.num_targets() == 0) continue;
      const auto* ids = batch.target.const_data_ptr<std::int64_t>();
      targets.insert(targets.end(), ids, ids + batch.num_targets());
    }
  return model.mean_nats(targets);
}

}  // namespace mgd
