#include <cmath>

#include "mgd/kernels/attention.h"

namespace mgd {

DropoutRule::DropoutRule(const AttentionDropout& dropout)
    : threshold_(static_cast<std::uint32_t>(std::lround(dropout.p * 65536))),
      factor_(threshold_ < 65536 ? static_cast<float>(65536.0 / (65536.0 - threshold_)) : 0.0F),
      key_(dropout.key),
      id_(dropout.id) {}

DropoutRule::Start DropoutRule::start(std::int64_t head, std::int64_t i) const {
  return {.c1 = static_cast<std::uint32_t>(i),
          .c2 = static_cast<std::uint32_t>(head),
          .c3 = static_cast<std::uint32_t>(id_),
          .k0 = static_cast<std::uint32_t>(key_),
          .k1 = static_cast<std::uint32_t>(key_ >> 32) ^ static_cast<std::uint32_t>(id_ >> 32)};
}

// Seven rounds: the fewest that pass BigCrush (Salmon et al. 2011, table 2); core/philox.h keeps the usual
// ten.
void DropoutRule::fill(std::int64_t head, std::int64_t i, std::int64_t block, float* factors) const {
  auto [c1, c2, c3, k0, k1] = start(head, i);
  auto c0 = static_cast<std::uint32_t>(block);
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t a = std::uint64_t{0xD2511F53} * c0, b = std::uint64_t{0xCD9E8D57} * c2;
    c0 = static_cast<std::uint32_t>(b >> 32) ^ c1 ^ k0;
    c1 = static_cast<std::uint32_t>(b);
    c2 = static_cast<std::uint32_t>(a >> 32) ^ c3 ^ k1;
    c3 = static_cast<std::uint32_t>(a);
    k0 += 0x9E3779B9;
    k1 += 0xBB67AE85;
  }
  const std::uint32_t words[4] = {c0, c1, c2, c3};
  for (int lane = 0; lane < 8; ++lane) {
    const std::uint32_t bits = (words[lane / 2] >> (lane % 2 * 16)) & 0xFFFF;
    factors[lane] = bits < threshold_ ? 0.0F : factor_;
  }
}

}  // namespace mgd
