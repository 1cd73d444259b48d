// Sequences on their way to a batch.
#pragma once

#include <span>

#include "mgd/types/tokens.h"

namespace mgd {

// Sequences laid end to end, and the rows of them that are to be predicted.
class TokenRows {
 public:
  // Positions count from `position`: of a sequence that a cache goes on with, from what it has. type_ids: as
  // many as ids, or none: all 0. Returns the row of the first token.
  std::int64_t add(std::span<const std::int64_t> ids, std::span<const std::int64_t> type_ids = {},
                   std::int64_t position = 0);
  void add_target(std::int64_t row, std::int64_t id);

  PackedTokens tokens(at::Device device = at::kCPU) const;
  at::Tensor target_rows() const;  // (n); undefined when they are all rows
  at::Tensor target() const;       // (n)

 private:
  std::vector<std::int64_t> ids_, positions_, type_ids_, target_rows_, target_;
  std::vector<std::int64_t> offsets_ = {0};
  bool has_types_ = false;
};

}  // namespace mgd
