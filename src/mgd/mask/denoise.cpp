#include <cmath>

#include "mgd/core/error.h"
#include "mgd/mask/objectives.h"
#include "mgd/mask/spans.h"

namespace mgd {

namespace {

// Lewis et al., "BART" (2020), section 2.2: sentence permutation, then text infilling.
class Denoise final : public Objective {
 public:
  explicit Denoise(ObjectiveContext context)
      : config_(context.config),
        roles_(std::move(context.roles)),
        ratio_(config_.ratio_for("denoise")),
        key_(random_key(context.seed, "objective/denoise")),
        lengths_(SpanLengths::poisson(config_.span_mean)) {
    if (roles_.mask < 0)
      fail(ExitCode::usage, "task: got denoise, but the tokenizer has no mask token ([MASK] or <mask>)");
    if (roles_.decoder_start < 0)
      fail(ExitCode::usage,
           "task: got denoise, but the tokenizer has no token that a decoder could start with (</s>, [SEP], "
           "<s> or [CLS])");
  }

  Batch make(std::span<const TextSample> samples, std::int64_t epoch) const override {
    Batch batch = batch_of(samples);
    TokenRows encoder, decoder;
    for (const TextSample& sample : samples) {
      RandomStream random = sample_stream(key_, config_, epoch, sample.id);
      for (const TextSequence& sequence : sample.sequences) {
        encoder.add(infilled(permuted(sequence, random), random));
        std::vector<std::int64_t> shifted = {roles_.decoder_start};
        shifted.insert(shifted.end(), sequence.ids.begin(), sequence.ids.end());
        shifted.pop_back();
        const std::int64_t first = decoder.add(shifted);
        for (std::size_t t = 0; t < shifted.size(); ++t)
          decoder.add_target(first + static_cast<std::int64_t>(t), sequence.ids[t]);
      }
    }
    batch.tokens = encoder.tokens();
    batch.decoder_tokens = decoder.tokens();
    batch.target_rows = decoder.target_rows();
    batch.target = decoder.target();
    batch.target_type = TargetType::tokens;
    return batch;
  }

 private:
  // Sentences are stretches up to a full stop between special tokens, which keep their places.
  TextSequence permuted(const TextSequence& sequence, RandomStream& random) const {
    if (random.uniform() >= config_.permute_sentences) return sequence;
    TextSequence out;
    std::vector<Stretch> sentences;
    const auto flush = [&] {
      random.shuffle(sentences);
      for (const Stretch& s : sentences) copy(sequence, s, out);
      sentences.clear();
    };
    bool open = false;
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(sequence.ids.size()); ++t) {
      const std::int64_t id = sequence.ids[static_cast<std::size_t>(t)];
      if (roles_.is_special(id)) {
        flush();
        copy(sequence, {t, t + 1}, out);
        open = false;
        continue;
      }
      if (open)
        sentences.back().end = t + 1;
      else
        sentences.push_back({t, t + 1});
      open = !roles_.is_full_stop(id);
    }
    flush();
    return out;
  }

  static void copy(const TextSequence& from, Stretch s, TextSequence& to) {
    to.ids.insert(to.ids.end(), from.ids.begin() + s.begin, from.ids.begin() + s.end);
    to.word_start.insert(to.word_start.end(), from.word_start.begin() + s.begin,
                         from.word_start.begin() + s.end);
  }

  // Each stretch becomes one mask token; an empty one is a mask token between two units.
  std::vector<std::int64_t> infilled(const TextSequence& sequence, RandomStream& random) const {
    const std::vector<Stretch> units = units_of(sequence, roles_, config_.whole_word);
    const auto n = static_cast<std::int64_t>(units.size());
    const std::int64_t hidden = random_round(ratio_ * static_cast<double>(n), random);
    std::vector<std::int64_t> ids;
    std::int64_t copied = 0;  // tokens of the sequence that are done with
    const auto copy_upto = [&](std::int64_t end) {
      if (end > copied) ids.insert(ids.end(), sequence.ids.begin() + copied, sequence.ids.begin() + end);
      copied = std::max(copied, end);
    };
    for (const Stretch& span : draw_spans(n, hidden, lengths_, random)) {
      copy_upto(span.begin < n ? units[static_cast<std::size_t>(span.begin)].begin : units.back().end);
      ids.push_back(roles_.mask);
      for (std::int64_t u = span.begin; u < span.end; ++u) {
        const Stretch& unit = units[static_cast<std::size_t>(u)];
        copy_upto(unit.begin);  // a special token within the stretch stays
        copied = unit.end;
      }
    }
    copy_upto(static_cast<std::int64_t>(sequence.ids.size()));
    return ids;
  }

  const ObjectiveConfig config_;
  const TokenRoles roles_;
  const double ratio_;
  const PhiloxKey key_;
  const SpanLengths lengths_;
};

}  // namespace

std::unique_ptr<Objective> make_denoise(ObjectiveContext context) {
  return std::make_unique<Denoise>(std::move(context));
}

}  // namespace mgd
