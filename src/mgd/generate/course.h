// What greedy decoding, sampling and beam search share: where a prompt starts, and when it ends.
#pragma once

#include <optional>

#include "mgd/generate/generate.h"

namespace mgd {

struct Course {
  TokenIds start;  // what the decoder reads first
  std::uint64_t sample = 0;
  std::int64_t limit = 0;  // most new tokens, at least 1
  const GenerationRules* rules = nullptr;
  const GenerateHooks* hooks = nullptr;

  // `tokens` are the new ones, at least one.
  std::optional<Ending> ending(std::span<const std::int64_t> tokens) const;
};

// Results beside the courses.
std::vector<Generated> beam_search(TextModel& model, std::vector<TokenIds> sources,
                                   const std::vector<Course>& courses, const GenerateOptions& options);

}  // namespace mgd
