#include "mgd/text/merges.h"

#include <algorithm>
#include <array>
#include <queue>

namespace mgd {

namespace {

std::uint64_t pair_of(std::uint32_t left, std::uint32_t right) {
  return static_cast<std::uint64_t>(left) << 32 | right;
}

constexpr std::uint32_t kNone = ~std::uint32_t{0};

// A pair of neighbours that may join; stale once one of them has joined another.
struct Candidate {
  std::uint32_t rank = 0, at = 0, joined = 0;
  bool operator>(const Candidate& other) const {
    return rank != other.rank ? rank > other.rank : at > other.at;
  }
};

// Each token knows its neighbours; a token of no length has gone into the one before it.
void apply_with_queue(const MergeTable& table, std::vector<WordToken>& tokens, std::size_t first) {
  const auto n = static_cast<std::uint32_t>(tokens.size() - first);
  WordToken* const token = tokens.data() + first;
  std::vector<std::uint32_t> previous(n), next(n);
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> queue;
  const auto offer = [&](std::uint32_t left, std::uint32_t right) {
    if (const auto* const merge = table.find(token[left].id, token[right].id))
      queue.push({merge->rank, left, merge->joined});
  };
  for (std::uint32_t i = 0; i < n; ++i) {
    previous[i] = i == 0 ? kNone : i - 1;
    next[i] = i + 1 == n ? kNone : i + 1;
    if (i + 1 < n) offer(i, i + 1);
  }
  std::vector<bool> gone(n);
  while (!queue.empty()) {
    const Candidate top = queue.top();
    queue.pop();
    if (gone[top.at] || next[top.at] == kNone) continue;
    const std::uint32_t right = next[top.at];
    const auto* const merge = table.find(token[top.at].id, token[right].id);
    if (merge == nullptr || merge->joined != top.joined) continue;
    token[top.at].id = top.joined;
    token[top.at].end = token[right].end;
    gone[right] = true;
    next[top.at] = next[right];
    if (next[right] != kNone) previous[next[right]] = top.at;
    if (previous[top.at] != kNone) offer(previous[top.at], top.at);
    if (next[top.at] != kNone) offer(top.at, next[top.at]);
  }
  std::size_t kept = first;
  for (std::uint32_t i = 0; i < n; ++i)
    if (!gone[i]) tokens[kept++] = token[i];
  tokens.resize(kept);
}

}  // namespace

void MergeTable::reserve(std::size_t num_merges) {
  std::size_t num_slots = 16;
  while (num_slots < 2 * num_merges) num_slots *= 2;
  if (num_slots > slots_.size()) grow(num_slots);
}

std::size_t MergeTable::slot_of(std::uint64_t pair) const {
  std::uint64_t h = pair * 0x9E3779B97F4A7C15u;
  h ^= h >> 32;
  std::size_t at = h & (slots_.size() - 1);
  while (slots_[at].pair != pair && slots_[at].pair != kEmpty) at = (at + 1) & (slots_.size() - 1);
  return at;
}

void MergeTable::grow(std::size_t num_slots) {
  std::vector<Slot> old(num_slots);
  old.swap(slots_);
  for (const Slot& slot : old)
    if (slot.pair != kEmpty) slots_[slot_of(slot.pair)] = slot;
}

void MergeTable::put(std::uint32_t left, std::uint32_t right, Merge merge) {
  if (2 * (size_ + 1) > slots_.size()) grow(std::max<std::size_t>(16, 2 * slots_.size()));
  Slot& slot = slots_[slot_of(pair_of(left, right))];
  size_ += slot.pair == kEmpty ? 1 : 0;
  slot = {pair_of(left, right), merge};
}

const MergeTable::Merge* MergeTable::find(std::uint32_t left, std::uint32_t right) const {
  if (slots_.empty()) return nullptr;
  const Slot& slot = slots_[slot_of(pair_of(left, right))];
  return slot.pair == kEmpty ? nullptr : &slot.merge;
}

void MergeTable::apply(std::vector<WordToken>& tokens, std::size_t first) const {
  // Words are short: finding the best pair anew each time beats a queue up to here.
  constexpr std::size_t kShort = 24;
  std::size_t n = tokens.size() - first;
  if (n > kShort) return apply_with_queue(*this, tokens, first);
  if (n < 2) return;
  WordToken* const token = tokens.data() + first;
  std::array<const Merge*, kShort> pairs{};  // pairs[i] joins tokens i and i + 1
  for (std::size_t i = 0; i + 1 < n; ++i) pairs[i] = find(token[i].id, token[i + 1].id);
  while (n > 1) {
    std::size_t best = n;
    for (std::size_t i = 0; i + 1 < n; ++i)
      if (pairs[i] != nullptr && (best == n || pairs[i]->rank < pairs[best]->rank)) best = i;
    if (best == n) break;
    token[best].id = pairs[best]->joined;
    token[best].end = token[best + 1].end;
    std::move(token + best + 2, token + n, token + best + 1);
    std::move(pairs.begin() + static_cast<std::ptrdiff_t>(best) + 1,
              pairs.begin() + static_cast<std::ptrdiff_t>(n) - 1,
              pairs.begin() + static_cast<std::ptrdiff_t>(best));
    --n;
    if (best > 0) pairs[best - 1] = find(token[best - 1].id, token[best].id);
    pairs[best] = best + 1 < n ? find(token[best].id, token[best + 1].id) : nullptr;
  }
  tokens.resize(first + n);
}

}  // namespace mgd
