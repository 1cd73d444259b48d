#include "mgd/mask/spans.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"

namespace mgd {

std::vector<Stretch> units_of(const TextSequence& sequence, const TokenRoles& roles, bool whole_word) {
  std::vector<Stretch> units;
  bool open = false;  // the token before is of the last unit
  for (std::size_t t = 0; t < sequence.ids.size(); ++t) {
    const auto place = static_cast<std::int64_t>(t);
    if (roles.is_special(sequence.ids[t])) {
      open = false;
      continue;
    }
    if (open && whole_word && sequence.word_start[t] == 0)
      ++units.back().end;
    else
      units.push_back({place, place + 1});
    open = true;
  }
  return units;
}

SpanLengths::SpanLengths(std::int64_t shortest, std::vector<double> weights)
    : shortest_(shortest), upto_(std::move(weights)) {
  double total = 0;
  for (double& w : upto_) w = total += w;
  for (double& w : upto_) w /= total;
}

SpanLengths SpanLengths::geometric(double p, std::int64_t longest) {
  MGD_ASSERT(p > 0 && p <= 1 && longest >= 1);
  std::vector<double> weights;
  double weight = p;
  for (std::int64_t l = 1; l <= longest; ++l, weight *= 1 - p) weights.push_back(weight);
  return {1, std::move(weights)};
}

SpanLengths SpanLengths::poisson(double mean) {
  MGD_ASSERT(mean > 0 && mean < 700);  // exp(-mean) is a number
  // Ten standard deviations above the mean: what is left out is below 1e-16.
  const auto longest = static_cast<std::int64_t>(mean + 10 * std::sqrt(mean) + 10);
  std::vector<double> weights;
  double weight = std::exp(-mean);
  for (std::int64_t l = 0; l <= longest; ++l, weight *= mean / static_cast<double>(l))
    weights.push_back(weight);
  return {0, std::move(weights)};
}

std::int64_t SpanLengths::draw(RandomStream& random) const {
  const auto found = std::upper_bound(upto_.begin(), upto_.end(), random.uniform());
  return shortest_ +
         std::min<std::int64_t>(found - upto_.begin(), static_cast<std::int64_t>(upto_.size()) - 1);
}

std::vector<Stretch> draw_spans(std::int64_t n, std::int64_t hidden, const SpanLengths& lengths,
                                RandomStream& random) {
  MGD_ASSERT(hidden >= 0 && hidden <= n);
  std::vector<std::int64_t> drawn;
  std::int64_t insertions = 0;
  for (std::int64_t sum = 0; sum < hidden;) {
    const std::int64_t length = std::min(lengths.draw(random), hidden - sum);
    insertions += length == 0 ? 1 : 0;
    if (length == 0 && insertions > hidden) continue;
    drawn.push_back(length);
    sum += length;
  }
  auto too_many = static_cast<std::int64_t>(drawn.size()) - hidden;
  std::erase_if(drawn, [&](std::int64_t length) { return length == 0 && too_many-- > 0; });
  // The one that was cut to fit is the last, and must not lie at the end more often than elsewhere.
  random.shuffle(drawn);
  std::vector<Stretch> spans;
  auto slots = static_cast<std::uint64_t>(n - hidden) + drawn.size();
  for (std::int64_t place = 0; spans.size() < drawn.size(); --slots) {
    if (random.below(slots) >= drawn.size() - spans.size()) {
      ++place;
      continue;
    }
    const std::int64_t end = place + drawn[spans.size()];
    spans.push_back({place, end});
    place = end;
  }
  return spans;
}

std::int64_t random_round(double value, RandomStream& random) {
  const double whole = std::floor(value);
  return static_cast<std::int64_t>(whole) + (random.uniform() < value - whole ? 1 : 0);
}

}  // namespace mgd
