// What greedy decoding, sampling and beam search share: where a prompt starts, and when it ends.
#pragma once

#include <optional>

#include "mgd/generate/generate.h"

namespace mgd {

struct Course {
  TokenIds start;  // what the decoder reads first
  std::uint64_t sample = 0;
  std::int64_t limit = 0;       // most new tokens, at least 1
  std::int64_t end_token = -1;  // -1: none
  bool must_end = false;        // the last possible token is the end token
  const GenerateHooks* hooks = nullptr;

  // `tokens` are the new ones, at least one.
  std::optional<Ending> ending(std::span<const std::int64_t> tokens) const;
  // Whether the next token after so many new ones has to be the end token.
  bool is_forced(std::int64_t num_new) const { return must_end && end_token >= 0 && num_new + 1 == limit; }
};

// Results beside the courses.
std::vector<Generated> beam_search(TextModel& model, std::vector<TokenIds> sources,
                                   const std::vector<Course>& courses, const GenerateOptions& options);

}  // namespace mgd
