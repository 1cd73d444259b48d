#include <ATen/TensorOperators.h>
#include <ATen/ops/log_softmax.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/topk.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/generate/course.h"
#include "mgd/generate/next_token.h"
#include "mgd/generate/rules.h"

namespace mgd {

namespace {

struct Hypothesis {
  TokenIds tokens;   // the new ones
  double score = 0;  // log probability; of a finished one divided by length^penalty
  Ending ending = Ending::length;
  std::int64_t parent = 0;  // row that it goes on from
};

void keep_best(std::vector<Hypothesis>& hypotheses, std::size_t most) {
  std::stable_sort(hypotheses.begin(), hypotheses.end(),
                   [](const Hypothesis& a, const Hypothesis& b) { return a.score > b.score; });
  if (hypotheses.size() > most) hypotheses.resize(most);
}

// The beams of one prompt. More candidates than beams are looked at, so that enough are left when all the
// best ones end; only those among the best `num_beams` count as finished.
class Beams {
 public:
  Beams(const Course& course, const GenerateOptions& options)
      : course_(course),
        options_(options),
        running_{{}},
        width_(static_cast<std::size_t>(options.num_beams)) {}

  std::size_t num_rows() const { return running_.size(); }
  TokenIds sequence(std::size_t row) const {
    TokenIds all = course_.start;
    all.insert(all.end(), running_[row].tokens.begin(), running_[row].tokens.end());
    return all;
  }

  // Logits (num_rows, V) -> the row that each beam of the next step goes on from; none: this was the last.
  std::vector<std::int64_t> step(const at::Tensor& logits) {
    std::vector<Hypothesis> going;
    std::vector<Hypothesis> candidates = best_candidates(scores(logits));
    for (std::size_t rank = 0; rank < candidates.size(); ++rank) {
      Hypothesis& candidate = candidates[rank];
      const auto ending = course_.ending(candidate.tokens);
      if (!ending) {
        going.push_back(std::move(candidate));
      } else if (rank < width_) {
        candidate.ending = *ending;
        candidate.score = normalised(candidate.score, candidate.tokens.size());
        finished_.push_back(std::move(candidate));
      }
    }
    keep_best(finished_, width_);
    keep_best(going, width_);
    running_ = std::move(going);
    std::vector<std::int64_t> parents;
    if (can_improve())
      for (const Hypothesis& beam : running_) parents.push_back(beam.parent);
    return parents;
  }

  Generated best() const {
    if (finished_.empty())
      fail(ExitCode::bad_data, "beam search: every token is ruled out after {} of them",
           course_.start.size());
    return {.tokens = finished_.front().tokens, .ending = finished_.front().ending};
  }

 private:
  double normalised(double score, std::size_t length) const {
    return score / std::pow(static_cast<double>(length), options_.length_penalty);
  }

  // As transformers' early_stopping: with False the best running beam is judged by the length that it has
  // now, with "never" by the best that it can get; with True there is nothing more to gain.
  bool can_improve() const {
    if (running_.empty()) return false;
    if (finished_.size() < width_) return true;
    if (options_.early_stopping == "yes") return false;
    const bool by_limit = options_.early_stopping == "never" && options_.length_penalty > 0;
    const std::size_t length =
        by_limit ? static_cast<std::size_t>(course_.limit) : running_.front().tokens.size();
    return normalised(running_.front().score, length) > finished_.back().score;
  }

  at::Tensor scores(const at::Tensor& logits) const {  // (R, V) log probabilities of whole beams
    at::Tensor probs = logits.log_softmax(-1);
    std::vector<TokenIds> sequences;
    for (std::size_t row = 0; row < num_rows(); ++row) sequences.push_back(sequence(row));
    if (options_.sampling.repetition_penalty != 1)
      probs = penalise_repetition(probs, sequences, options_.sampling.repetition_penalty);
    std::vector<RuledRow> ruled;
    for (const TokenIds& tokens : sequences) ruled.push_back({.sequence = &tokens, .course = &course_});
    probs = apply_rules(probs, ruled);
    std::vector<float> so_far;
    for (const Hypothesis& beam : running_) so_far.push_back(static_cast<float>(beam.score));
    return probs + at::tensor(so_far).unsqueeze(1);
  }

  std::vector<Hypothesis> best_candidates(const at::Tensor& scores) const {
    const std::int64_t V = scores.size(1);
    // Enough that as many go on when all the best end.
    const auto per_beam =
        std::max<std::int64_t>(2, 1 + static_cast<std::int64_t>(course_.rules->ends.size()));
    const auto [best, index] = scores.flatten().topk(std::min(per_beam * options_.num_beams, scores.numel()));
    std::vector<Hypothesis> candidates;
    for (std::int64_t k = 0; k < best.size(0); ++k) {
      const auto at = index.const_data_ptr<std::int64_t>()[k];
      const float score = best.const_data_ptr<float>()[k];
      if (std::isnan(score))
        fail(ExitCode::bad_data, "the model's scores of the next token are NaN; nothing can be chosen");
      if (std::isinf(score)) break;
      candidates.push_back(
          {.tokens = running_[static_cast<std::size_t>(at / V)].tokens, .score = score, .parent = at / V});
      candidates.back().tokens.push_back(at % V);
    }
    return candidates;
  }

  const Course& course_;
  const GenerateOptions& options_;
  std::vector<Hypothesis> running_, finished_;  // the best first
  const std::size_t width_;
};

}  // namespace

std::vector<Generated> beam_search(TextModel& model, std::vector<TokenIds> sources,
                                   const std::vector<Course>& courses, const GenerateOptions& options) {
  NextToken next(model, std::move(sources), options.cache, options.device);
  std::vector<Beams> all;
  std::vector<std::size_t> active;
  for (const Course& course : courses) {
    active.push_back(all.size());
    all.emplace_back(course, options);
  }
  while (!active.empty()) {
    std::vector<TokenIds> rows;
    for (const std::size_t i : active)
      for (std::size_t row = 0; row < all[i].num_rows(); ++row) rows.push_back(all[i].sequence(row));
    const at::Tensor logits = next.logits(rows);
    std::vector<std::int64_t> selected;
    std::vector<std::size_t> still;
    std::int64_t first = 0;
    for (const std::size_t i : active) {
      const auto num_rows = static_cast<std::int64_t>(all[i].num_rows());
      const std::vector<std::int64_t> parents = all[i].step(logits.narrow(0, first, num_rows));
      for (const std::int64_t parent : parents) selected.push_back(first + parent);
      if (!parents.empty()) still.push_back(i);
      first += num_rows;
    }
    active = std::move(still);
    if (!active.empty()) next.select(selected);
  }
  std::vector<Generated> results;
  for (const Beams& beams : all) results.push_back(beams.best());
  return results;
}

}  // namespace mgd
