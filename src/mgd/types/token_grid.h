// How the tokens of a vision Transformer lie on the picture.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>
#include <string>

namespace mgd {

// The patches are a square, row by row, behind `others` that stand for no place: a class token, registers.
struct TokenGrid {
  std::int64_t others = 0, side = 0;
};

// By their number alone: the fewest others, at most 8, that leave a square of 2 x 2 and more. nullopt: none.
std::optional<TokenGrid> grid_of_tokens(std::int64_t num_tokens);

// (B, T, H) -> (B, H, side, side), the patches as a map.
at::Tensor map_of_tokens(const at::Tensor& tokens, const TokenGrid& grid);

// "197 tokens, taken as 14 x 14 patches behind 1 other".
std::string describe(const TokenGrid& grid);

// Of the first token, at the tap NAME.first.
inline std::string first_token_of(const std::string& name) {
  return name + ".first";
}

}  // namespace mgd
