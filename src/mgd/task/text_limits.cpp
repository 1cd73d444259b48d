#include "mgd/task/text_limits.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

void require_targets(const Config& config, const TextDataset& data) {
  const std::string& task = config.task;
  if ((task != "classify" && task != "embed") || data.train->size() == 0) return;
  const TextSample sample = data.train->sample(0, 0);
  if (task == "embed" && sample.sequences.size() != 2)
    fail(ExitCode::usage, "text.columns: got one column, but task embed compares the texts of two");
  if (task == "embed" ? std::isnan(sample.score) : sample.label < 0)
    fail(ExitCode::usage, "text.target: got none, but task {} learns from a {}", task,
         task == "embed" ? "score" : "label");
  if (task == "classify" && data.class_names.size() < 2)
    fail(ExitCode::bad_data,
         "text.target: all {} training rows have the label '{}' in column '{}'; a classifier learns two at "
         "least",
         data.train->size(), printable(data.class_names.front()), config.text.target);
}

bool has_scores(const TextSource& source) {
  if (source.size() == 0) return false;
  const TextSample sample = source.sample(0, 0);
  return sample.sequences.size() == 2 && !std::isnan(sample.score);
}

void check_lengths(const Config& config, const TextDataset& data, const TextModel& model,
                   const std::string& role) {
  for (const auto& [split, source] : {std::pair{"training", data.train.get()},
                                      {"validation", data.validation.get()},
                                      {"test", data.test.get()}}) {
    if (source == nullptr || source->longest() <= model.max_tokens()) continue;
    fail(ExitCode::usage,
         "text.max_length: got {}, and a text of the {} split has {} tokens, but the {} ({}) takes at most "
         "{}; write "
         "text.max_length: {}",
         config.text.max_length, split, source->longest(), role, model.architecture(), model.max_tokens(),
         model.max_tokens());
  }
}

}  // namespace mgd
