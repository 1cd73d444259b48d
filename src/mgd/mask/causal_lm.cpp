#include "mgd/mask/objectives.h"

namespace mgd {

namespace {

// A document's last token predicts nothing; the last one of a piece predicts the first of the next piece.
class CausalLm final : public Objective {
 public:
  Batch make(std::span<const TextSample> samples, std::int64_t) const override {
    Batch batch = batch_of(samples);
    TokenRows rows;
    for (const TextSample& sample : samples)
      for (const TextSequence& sequence : sample.sequences) {
        std::int64_t row = rows.add(sequence.ids, sequence.type_ids);
        for (std::size_t t = 1; t < sequence.ids.size(); ++t) rows.add_target(row++, sequence.ids[t]);
        if (sequence.next_id >= 0 && !sequence.ids.empty()) rows.add_target(row, sequence.next_id);
      }
    batch.tokens = rows.tokens();
    batch.target_rows = rows.target_rows();
    batch.target = rows.target();
    batch.target_type = TargetType::tokens;
    return batch;
  }
};

}  // namespace

std::unique_ptr<Objective> make_causal_lm(ObjectiveContext) {
  return std::make_unique<CausalLm>();
}

}  // namespace mgd
