#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/mask/objectives.h"
#include "mgd/mask/spans.h"

namespace mgd {

namespace {

enum class Fate { mask, random, keep };

// Devlin et al., "BERT" (2019), section 3.1 and appendix A.1; whole words as in its later release; spans:
// Joshi et al., "SpanBERT" (2020), section 3.1.
class MaskedLm final : public Objective {
 public:
  explicit MaskedLm(ObjectiveContext context)
      : config_(context.config),
        roles_(std::move(context.roles)),
        ratio_(config_.ratio_for("mlm")),
        key_(random_key(context.seed, "objective/mlm")),
        lengths_(SpanLengths::geometric(config_.span_p, config_.span_max)) {
    if (roles_.mask < 0)
      fail(ExitCode::usage, "task: got mlm, but the tokenizer has no mask token ([MASK] or <mask>)");
  }

  Batch make(std::span<const TextSample> samples, std::int64_t epoch) const override {
    Batch batch = batch_of(samples);
    TokenRows rows;
    for (const TextSample& sample : samples) {
      RandomStream random = sample_stream(key_, config_, epoch, sample.id);
      for (const TextSequence& sequence : sample.sequences) add(sequence, random, rows);
    }
    batch.tokens = rows.tokens();
    batch.target_rows = rows.target_rows();
    batch.target = rows.target();
    batch.target_type = TargetType::tokens;
    return batch;
  }

 private:
  void add(const TextSequence& sequence, RandomStream& random, TokenRows& rows) const {
    const std::vector<Stretch> units = units_of(sequence, roles_, config_.whole_word);
    std::vector<std::int64_t> ids = sequence.ids;
    std::vector<std::int64_t> hidden;  // tokens
    for (const Stretch& group : hidden_units(units, random)) {
      Fate fate = Fate::keep;
      for (std::int64_t u = group.begin; u < group.end; ++u) {
        const Stretch& unit = units[static_cast<std::size_t>(u)];
        for (std::int64_t t = unit.begin; t < unit.end; ++t) {
          // A stretch of several units has one fate; words and tokens are decided token by token.
          if (!config_.spans || (u == group.begin && t == unit.begin)) fate = draw_fate(random);
          hidden.push_back(t);
          replace(ids[static_cast<std::size_t>(t)], fate, random);
        }
      }
    }
    std::sort(hidden.begin(), hidden.end());
    const std::int64_t first = rows.add(ids, sequence.type_ids);
    for (const std::int64_t t : hidden) rows.add_target(first + t, sequence.ids[static_cast<std::size_t>(t)]);
  }

  // Stretches of units, none twice.
  std::vector<Stretch> hidden_units(const std::vector<Stretch>& units, RandomStream& random) const {
    const auto n = static_cast<std::int64_t>(units.size());
    const bool exact = config_.rule == "exact";
    if (config_.spans) {
      const double wanted = ratio_ * static_cast<double>(n);
      const std::int64_t count = exact ? exact_count(n) : random_round(wanted, random);
      return draw_spans(n, count, lengths_, random);
    }
    if (exact) return exact_units(units, random);
    std::vector<Stretch> hidden;
    for (std::int64_t u = 0; u < n; ++u)
      if (random.uniform() < ratio_) hidden.push_back({u, u + 1});
    return hidden;
  }

  std::int64_t exact_count(std::int64_t n) const {
    if (n == 0 || ratio_ == 0) return 0;
    return std::max<std::int64_t>(1, std::llround(ratio_ * static_cast<double>(n)));
  }

  // BERT's: units in random order, each taken unless it would exceed the number of tokens to hide.
  std::vector<Stretch> exact_units(const std::vector<Stretch>& units, RandomStream& random) const {
    std::int64_t num_tokens = 0;
    std::vector<std::int64_t> order(units.size());
    for (std::size_t u = 0; u < units.size(); ++u) {
      order[u] = static_cast<std::int64_t>(u);
      num_tokens += units[u].length();
    }
    random.shuffle(order);
    std::int64_t left = exact_count(num_tokens);
    std::vector<Stretch> hidden;
    for (const std::int64_t u : order) {
      const std::int64_t length = units[static_cast<std::size_t>(u)].length();
      if (left == 0) break;
      if (length > left) continue;
      left -= length;
      hidden.push_back({u, u + 1});
    }
    return hidden;
  }

  Fate draw_fate(RandomStream& random) const {
    const double u = random.uniform();
    if (u < config_.mask_frac) return Fate::mask;
    return u < config_.mask_frac + config_.random_frac ? Fate::random : Fate::keep;
  }

  void replace(std::int64_t& id, Fate fate, RandomStream& random) const {
    if (fate == Fate::mask) id = roles_.mask;
    if (fate == Fate::random && !roles_.ordinary.empty())
      id = roles_.ordinary[static_cast<std::size_t>(random.below(roles_.ordinary.size()))];
  }

  const ObjectiveConfig config_;
  const TokenRoles roles_;
  const double ratio_;
  const PhiloxKey key_;
  const SpanLengths lengths_;
};

}  // namespace

std::unique_ptr<Objective> make_masked_lm(ObjectiveContext context) {
  return std::make_unique<MaskedLm>(std::move(context));
}

}  // namespace mgd
