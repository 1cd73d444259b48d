#include "mgd/types/token_grid.h"

#include <fmt/core.h>

#include <algorithm>
#include <cmath>

namespace mgd {

std::optional<TokenGrid> grid_of_tokens(std::int64_t num_tokens) {
  constexpr std::int64_t kMostOthers = 8, kLeastSide = 2;
  for (std::int64_t others = 0; others <= kMostOthers; ++others) {
    const auto side =
        std::llround(std::sqrt(static_cast<double>(std::max<std::int64_t>(0, num_tokens - others))));
    if (side >= kLeastSide && side * side == num_tokens - others)
      return TokenGrid{.others = others, .side = side};
  }
  return std::nullopt;
}

at::Tensor map_of_tokens(const at::Tensor& tokens, const TokenGrid& grid) {
  return tokens.narrow(1, grid.others, grid.side * grid.side)
      .transpose(1, 2)
      .reshape({tokens.size(0), tokens.size(2), grid.side, grid.side});
}

std::string describe(const TokenGrid& grid) {
  const std::string patches = fmt::format("{} tokens, taken as {} x {} patches",
                                          grid.others + grid.side * grid.side, grid.side, grid.side);
  if (grid.others == 0) return patches;
  return patches + fmt::format(" behind {} other{}", grid.others, grid.others == 1 ? "" : "s");
}

}  // namespace mgd
