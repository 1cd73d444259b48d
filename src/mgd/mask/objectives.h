// What the objectives share, and their makers for the list in objective.cpp.
#pragma once

#include "mgd/core/philox.h"
#include "mgd/mask/objective.h"
#include "mgd/types/token_rows.h"

namespace mgd {

struct ObjectiveContext {
  ObjectiveConfig config;
  TokenRoles roles;
  std::uint64_t seed = 1;
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
