#include "mgd/generate/rules.h"

#include <algorithm>
#include <limits>

namespace mgd {

namespace {

constexpr float kHidden = -std::numeric_limits<float>::infinity();

// One row on its way: where its sequence stands, and its scores.
struct RowRules {
  const TokenIds& sequence;
  const Course& course;
  std::span<float> scores;  // V

  const GenerationRules& rules() const { return *course.rules; }
  std::int64_t length() const { return static_cast<std::int64_t>(sequence.size()); }
  std::int64_t begun() const { return static_cast<std::int64_t>(course.start.size()); }

  void hide(std::int64_t token) const {
    if (token >= 0 && token < static_cast<std::int64_t>(scores.size()))
      scores[static_cast<std::size_t>(token)] = kHidden;
  }
  void hide_all(std::span<const std::int64_t> tokens) const {
    for (const std::int64_t token : tokens) hide(token);
  }
  void force(std::span<const std::int64_t> tokens) const {
    std::fill(scores.begin(), scores.end(), kHidden);
    for (const std::int64_t token : tokens) scores[static_cast<std::size_t>(token)] = 0;
  }
};

// What followed the last n-1 tokens before follows them no more.
void hide_repeated_runs(const RowRules& row) {
  const std::int64_t n = row.rules().no_repeat_ngram;
  if (n == 0 || row.length() < n) return;
  const auto tail = row.sequence.end() - (n - 1);
  for (auto at = row.sequence.begin(); at + (n - 1) < row.sequence.end(); ++at)
    if (std::equal(tail, row.sequence.end(), at)) row.hide(*(at + (n - 1)));
}

// transformers takes a bad word that is an end token for a mistake.
void hide_bad_words(const RowRules& row) {
  const auto& ends = row.rules().ends;
  for (const auto& run : row.rules().bad_words) {
    if (run.size() == 1 && std::find(ends.begin(), ends.end(), run[0]) != ends.end()) continue;
    const auto before = static_cast<std::ptrdiff_t>(run.size() - 1);
    if (before > row.length()) continue;
    if (std::equal(run.begin(), run.begin() + before, row.sequence.end() - before)) row.hide(run.back());
  }
}

void apply(const RowRules& row) {
  const GenerationRules& rules = row.rules();
  const std::int64_t length = row.length();
  hide_repeated_runs(row);
  hide_bad_words(row);
  if (length < rules.min_length || length - row.begun() < rules.min_new_tokens) row.hide_all(rules.ends);
  if (rules.forced_begin >= 0 && length == 1) row.force({&rules.forced_begin, 1});
  if (!rules.forced_ends.empty() && length == row.begun() + row.course.limit - 1)
    row.force(rules.forced_ends);
  row.hide_all(rules.suppressed);
  const bool forced_first = row.begun() == 1 && rules.forced_begin >= 0;
  if (length == row.begun() + (forced_first ? 1 : 0)) row.hide_all(rules.suppressed_at_begin);
}

}  // namespace

at::Tensor apply_rules(const at::Tensor& scores, std::span<const RuledRow> rows) {
  at::Tensor out = scores.to(at::kCPU, at::kFloat).contiguous().clone();
  const auto V = static_cast<std::size_t>(out.size(1));
  auto* data = out.mutable_data_ptr<float>();
  for (std::size_t r = 0; r < rows.size(); ++r)
    apply({.sequence = *rows[r].sequence, .course = *rows[r].course, .scores = {data + r * V, V}});
  return out;
}

}  // namespace mgd
