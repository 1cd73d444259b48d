// What the objectives share, and their makers for the list in objective.cpp.
#pragma once

#include "mgd/core/philox.h"
#include "mgd/mask/objective.h"

namespace mgd {

struct ObjectiveContext {
  ObjectiveConfig config;
  TokenRoles roles;
  std::uint64_t seed = 1;
};

// Sequences laid end to end, and the rows of them that are to be predicted.
class TokenRows {
 public:
  // Positions are 0 ... T - 1. Returns the row of the first token.
  std::int64_t add(std::span<const std::int64_t> ids, std::span<const std::int64_t> type_ids = {});
  void add_target(std::int64_t row, std::int64_t id);

  PackedTokens tokens() const;
  at::Tensor target_rows() const;  // (n); undefined when they are all rows
  at::Tensor target() const;       // (n)

 private:
  std::vector<std::int64_t> ids_, positions_, type_ids_, target_rows_, target_;
  std::vector<std::int64_t> offsets_ = {0};
  bool has_types_ = false;
};

// A batch with the numbers of its samples and sequences.
Batch batch_of(std::span<const TextSample> samples);

// The random numbers of one sample: those of a cycle of `variants` epochs, or new ones every epoch.
RandomStream sample_stream(PhiloxKey key, const ObjectiveConfig& config, std::int64_t epoch,
                           std::int64_t sample);

std::unique_ptr<Objective> make_masked_lm(ObjectiveContext context);
std::unique_ptr<Objective> make_causal_lm(ObjectiveContext context);
std::unique_ptr<Objective> make_denoise(ObjectiveContext context);
std::unique_ptr<Objective> make_classify_text(ObjectiveContext context);
std::unique_ptr<Objective> make_embed_text(ObjectiveContext context);

}  // namespace mgd
