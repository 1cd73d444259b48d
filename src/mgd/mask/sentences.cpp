#include <ATen/ops/empty.h>

#include "mgd/core/error.h"
#include "mgd/mask/objectives.h"

namespace mgd {

namespace {

// Nothing is hidden: the target is what the dataset says of each sample.
template <class T>
class LabelledText final : public Objective {
 public:
  explicit LabelledText(T TextSample::*value) : value_(value) {}

  Batch make(std::span<const TextSample> samples, std::int64_t) const override {
    Batch batch = batch_of(samples);
    TokenRows rows;
    constexpr auto kType = std::is_same_v<T, double> ? at::kFloat : at::kLong;
    batch.target = at::empty({batch.size()}, kType);
    batch.target_type = kType == at::kFloat ? TargetType::scores : TargetType::classes;
    using Stored = std::conditional_t<std::is_same_v<T, double>, float, T>;
    auto* target = batch.target.template mutable_data_ptr<Stored>();
    for (const TextSample& sample : samples) {
      for (const TextSequence& sequence : sample.sequences) rows.add(sequence.ids, sequence.type_ids);
      *target++ = static_cast<Stored>(sample.*value_);
    }
    batch.tokens = rows.tokens();
    return batch;
  }

 private:
  T TextSample::*value_;
};

}  // namespace

std::unique_ptr<Objective> make_classify_text(ObjectiveContext) {
  return std::make_unique<LabelledText<std::int64_t>>(&TextSample::label);
}

std::unique_ptr<Objective> make_embed_text(ObjectiveContext) {
  return std::make_unique<LabelledText<double>>(&TextSample::score);
}

}  // namespace mgd
