// Byte pair encoding's merges: which pair of tokens joins to which, and in what order.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "mgd/text/token_model.h"

namespace mgd {

class MergeTable {
 public:
  struct Merge {
    std::uint32_t rank = 0;  // lower ones come first
    std::uint32_t joined = 0;
  };

  void reserve(std::size_t num_merges);
  void put(std::uint32_t left, std::uint32_t right, Merge merge);  // replaces that of the same pair
  const Merge* find(std::uint32_t left, std::uint32_t right) const;

  // Joins tokens, the lowest rank first and of equal ones the leftmost, until no pair of neighbours joins.
  // n log n in their number.
  void apply(std::vector<WordToken>& tokens, std::size_t first) const;

 private:
  struct Slot {
    std::uint64_t pair = kEmpty;
    Merge merge;
  };
  static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};
  std::size_t slot_of(std::uint64_t pair) const;
  void grow(std::size_t num_slots);
  std::vector<Slot> slots_;
  std::size_t size_ = 0;
};

}  // namespace mgd
