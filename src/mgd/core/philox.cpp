#include "mgd/core/philox.h"

#include <cmath>
#include <numbers>

namespace mgd {

PhiloxCounter philox4x32(PhiloxCounter c, PhiloxKey k) {
  for (int round = 0; round < 10; ++round) {
    const std::uint64_t p0 = std::uint64_t{0xD2511F53} * c[0];
    const std::uint64_t p1 = std::uint64_t{0xCD9E8D57} * c[2];
    c = {static_cast<std::uint32_t>(p1 >> 32) ^ c[1] ^ k[0], static_cast<std::uint32_t>(p1),
         static_cast<std::uint32_t>(p0 >> 32) ^ c[3] ^ k[1], static_cast<std::uint32_t>(p0)};
    k[0] += 0x9E3779B9;
    k[1] += 0xBB67AE85;
  }
  return c;
}

PhiloxKey random_key(std::uint64_t seed, std::string_view purpose) {
  // The purpose is absorbed four bytes at a time by the generator itself, whose avalanche is well tested.
  PhiloxCounter state{static_cast<std::uint32_t>(purpose.size()), 0, 0, 0};
  const PhiloxKey key{static_cast<std::uint32_t>(seed), static_cast<std::uint32_t>(seed >> 32)};
  state = philox4x32(state, key);
  for (std::size_t i = 0; i < purpose.size(); i += 4) {
    std::uint32_t word = 0;
    for (std::size_t j = i; j < purpose.size() && j < i + 4; ++j)
      word |= static_cast<std::uint32_t>(static_cast<unsigned char>(purpose[j])) << (8 * (j - i));
    state[0] ^= word;
    state = philox4x32(state, key);
  }
  return {state[0], state[1]};
}

RandomStream::RandomStream(PhiloxKey key, std::uint32_t step, std::uint64_t sample)
    : key_(key),
      counter_{0, step, static_cast<std::uint32_t>(sample), static_cast<std::uint32_t>(sample >> 32)} {}

std::uint32_t RandomStream::next_u32() {
  if (used_ == 4) {
    block_ = philox4x32(counter_, key_);
    ++counter_[0];
    used_ = 0;
  }
  return block_[used_++];
}

std::uint64_t RandomStream::next_u64() {
  const std::uint64_t low = next_u32();
  return low | (std::uint64_t{next_u32()} << 32);
}

double RandomStream::uniform() {
  return static_cast<double>(next_u64() >> 11) * 0x1.0p-53;
}

double RandomStream::uniform(double low, double high) {
  return low + (high - low) * uniform();
}

std::uint64_t RandomStream::below(std::uint64_t bound) {
  // Values at and above the largest multiple of `bound` are drawn again: a plain remainder would favour small
  // results.
  const std::uint64_t rejected = (0 - bound) % bound;
  std::uint64_t value = next_u64();
  while (value < rejected) value = next_u64();
  return value % bound;
}

double RandomStream::normal() {
  const double radius = std::sqrt(-2.0 * std::log(1.0 - uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * uniform());
}

std::vector<std::int64_t> random_permutation(PhiloxKey key, std::uint32_t epoch, std::int64_t n) {
  std::vector<std::int64_t> order(static_cast<std::size_t>(n));
  std::iota(order.begin(), order.end(), std::int64_t{0});
  RandomStream(key, epoch, 0).shuffle(order);
  return order;
}

}  // namespace mgd
