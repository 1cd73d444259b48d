// The body of the production attention kernels; one .cpp an instruction set includes it.
//
// Tiles of kAttentionRows queries x kAttentionKeys keys; a tile that no query may see into is not visited.
// Forward keeps a running maximum and sum a row (Milakov and Gimelshein 2018); backward recomputes the
// probabilities from the saved maximum and sum (Dao et al. 2022, algorithm 4). Everything is packed into
// float tiles first, so strides and bfloat16 cost one pass over rows.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "mgd/kernels/attention.h"
#include "mgd/kernels/gemm_tile.h"

namespace mgd {
namespace {

constexpr std::int64_t kRows = kAttentionRows, kKeys = kAttentionKeys;
constexpr float kInfinity = std::numeric_limits<float>::infinity();

inline std::int64_t padded(std::int64_t n, std::int64_t unit) {
  return (n + unit - 1) / unit * unit;
}

// Hands out aligned pieces of the workspace.
class Arena {
 public:
  explicit Arena(void* memory) : next_(static_cast<float*>(memory)) {}
  float* take(std::int64_t floats) {
    float* piece = next_;
    next_ += padded(floats, 16);
    return piece;
  }

 private:
  float* next_;
};

// `count` rows of `width` elements -> (padded_rows, padded_width) floats, zeros around. Returns
// whether all were finite.
template <class T>
bool pack_rows(const T* from, std::int64_t stride, std::int64_t count, std::int64_t width,
               std::int64_t padded_rows, std::int64_t padded_width, float* to) {
  float check = 0;
  for (std::int64_t i = 0; i < padded_rows; ++i, to += padded_width) {
    std::int64_t d = 0;
    if (i < count) {
      const T* row = from + i * stride;
      for (; d < width; ++d) {
        to[d] = to_float(row[d]);
        check += to[d] * 0.0F;
      }
    }
    for (; d < padded_width; ++d) to[d] = 0;
  }
  return check == 0;
}

// Packed rows -> panels of kKeys columns: panel t holds (width, kKeys), so a column of keys is a row of
// lanes.
inline void transpose_panels(const float* rows, std::int64_t padded_rows, std::int64_t width,
                             std::int64_t row_width, float* panels) {
  for (std::int64_t t = 0; t < padded_rows; t += kKeys, panels += width * kKeys)
    for (std::int64_t d0 = 0; d0 < width; d0 += 16)
      for (std::int64_t j = 0; j < kKeys; ++j)
        for (std::int64_t d = d0; d < std::min(d0 + 16, width); ++d)
          panels[d * kKeys + j] = rows[(t + j) * row_width + d];
}

// Queries [begin, begin + count) of one tile row: what they see of each tile.
template <class T>
struct QueryTile {
  const AttentionProblem<T>& problem;
  std::int64_t begin, count;
  std::int64_t first = 0, last = 0;  // over its rows

  QueryTile(const AttentionProblem<T>& p, std::int64_t b)
      : problem(p), begin(b), count(std::min(kRows, p.q_length - b)), first(p.k_length) {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto [from, to] = range(i);
      if (from >= to) continue;
      first = std::min(first, from);
      last = std::max(last, to);
    }
    first = first / kKeys * kKeys;
  }
  std::pair<std::int64_t, std::int64_t> range(std::int64_t i) const {
    return {problem.first[begin + i], problem.last[begin + i]};
  }
  // Everything row i sees lies in one tile.
  bool within_a_tile(std::int64_t i) const {
    const auto [from, to] = range(i);
    return from < to && from / kKeys == (to - 1) / kKeys;
  }
  bool meets(std::int64_t tile) const {
    for (std::int64_t i = 0; i < count; ++i) {
      const auto [from, to] = range(i);
      if (std::max(from, tile) < std::min(to, tile + kKeys)) return true;
    }
    return false;
  }
  // Hidden entries of the scores become -inf.
  void hide(std::int64_t tile, float* scores) const {
    for (std::int64_t i = 0; i < count; ++i, scores += kKeys) {
      const auto [from, to] = range(i);
      const std::int64_t a = std::clamp<std::int64_t>(from - tile, 0, kKeys),
                         b = std::clamp<std::int64_t>(to - tile, a, kKeys);
      for (std::int64_t j = 0; j < a; ++j) scores[j] = -kInfinity;
      for (std::int64_t j = b; j < kKeys; ++j) scores[j] = -kInfinity;
      if (problem.extra == nullptr) continue;
      const std::uint8_t* visible = problem.extra + (begin + i) * problem.extra_stride + tile;
      for (std::int64_t j = a; j < b; ++j)
        if (visible[j] == 0) scores[j] = -kInfinity;
    }
  }
};

// DropoutRule::fill of the eight blocks of a tile's row at once, in lanes of 64 bits that hold 32.
inline void apply_dropout(const DropoutRule& rule, std::int64_t head, std::int64_t query, std::int64_t tile,
                          float* row) {
  static_assert(kKeys == 64);
  typedef std::uint64_t Lanes __attribute__((vector_size(64)));
  constexpr std::uint64_t kLow = 0xFFFFFFFF;
  const DropoutRule::Start start = rule.start(head, query);
  const auto block = static_cast<std::uint64_t>(tile / 8);
  Lanes c0 = Lanes{0, 1, 2, 3, 4, 5, 6, 7} + block, c1 = Lanes{} + start.c1, c2 = Lanes{} + start.c2,
        c3 = Lanes{} + start.c3;
  std::uint64_t k0 = start.k0, k1 = start.k1;
  for (int round = 0; round < DropoutRule::kRounds; ++round) {
    const Lanes a = c0 * std::uint64_t{0xD2511F53}, b = c2 * std::uint64_t{0xCD9E8D57};
    c0 = (b >> 32) ^ c1 ^ k0;
    c1 = b & kLow;
    c2 = (a >> 32) ^ c3 ^ k1;
    c3 = a & kLow;
    k0 = (k0 + 0x9E3779B9) & kLow;
    k1 = (k1 + 0xBB67AE85) & kLow;
  }
  const Lanes first = c0 | (c1 << 32), second = c2 | (c3 << 32);
  std::uint64_t words[16];
  for (int b = 0; b < 8; ++b) {
    words[2 * b] = first[b];
    words[2 * b + 1] = second[b];
  }
  std::uint16_t bits[kKeys];
  std::memcpy(bits, words, sizeof bits);
  const auto threshold = static_cast<std::int32_t>(rule.threshold());
  const float factor = rule.factor();
  for (std::int64_t j = 0; j < kKeys; ++j) row[j] *= bits[j] < threshold ? 0.0F : factor;
}

// One row of scores -> unnormalised probabilities; the running maximum, sum and output follow.
inline void online_softmax(float* scores, float scale, float& most, float& sum, float* out,
                           std::int64_t width) {
  Vec top = load(scores);
  for (std::int64_t j = kLanes; j < kKeys; j += kLanes) top = greater(top, load(scores + j));
  float now = most_of(top);
  // Comparisons may lose a NaN among the visible scores; the sum keeps it.
  now = now > most ? now : most;
  if (now == -kInfinity) {
    for (std::int64_t j = 0; j < kKeys; ++j) {
      sum += scores[j] != scores[j] ? scores[j] : 0.0F;
      scores[j] = 0;
    }
    return;
  }
  const float shrink = most == -kInfinity ? 0.0F : std::exp((most - now) * scale);
  Vec total{};
  for (std::int64_t j = 0; j < kKeys; j += kLanes) {
    const Vec e = exp_nonpositive((load(scores + j) - now) * scale);
    store(scores + j, e);
    total += e;
  }
  sum = sum * shrink + sum_of(total);
  most = now;
  if (shrink == 1.0F) return;
  for (std::int64_t d = 0; d < width; d += kLanes) store(out + d, load(out + d) * shrink);
}

template <class T>
void forward(const AttentionProblem<T>& p, const AttentionForward<T>& result, void* workspace,
             AttentionWork& work) {
  const std::int64_t width = padded(p.head_dim, kLanes), keys = padded(p.k_length, kKeys);
  const float scale = static_cast<float>(p.scale);
  const DropoutRule rule(p.dropout);
  Arena arena(workspace);
  float *values = arena.take(keys * width), *panels = arena.take(keys * p.head_dim),
        *q = arena.take(kRows * width), *scores = arena.take(kRows * kKeys), *out = arena.take(kRows * width);
  // The keys pass through the place of the values on their way into panels.
  pack_rows(p.k.data, p.k.stride, p.k_length, p.head_dim, keys, width, values);
  transpose_panels(values, keys, p.head_dim, width, panels);
  const bool finite = pack_rows(p.v.data, p.v.stride, p.k_length, p.head_dim, keys, width, values);
  for (std::int64_t g = 0; g < p.group; ++g) {
    for (std::int64_t begin = 0; begin < p.q_length; begin += kRows) {
      const QueryTile<T> tile(p, begin);
      pack_rows(p.q.row(begin) + g * p.q_head_stride, p.q.stride, tile.count, p.head_dim, tile.count, width,
                q);
      float most[kRows], sum[kRows];
      std::fill(most, most + kRows, -kInfinity);
      std::fill(sum, sum + kRows, 0.0F);
      std::fill(out, out + tile.count * width, 0.0F);
      for (std::int64_t t = tile.first; t < tile.last; t += kKeys) {
        if (!tile.meets(t)) continue;
        ++work.tiles;
        multiply(tile.count, kKeys, p.head_dim, {q, width, 1}, panels + t * p.head_dim, kKeys, scores, kKeys,
                 false);
        tile.hide(t, scores);
        for (std::int64_t i = 0; i < tile.count; ++i) {
          online_softmax(scores + i * kKeys, scale, most[i], sum[i], out + i * width, width);
          if (rule.active()) apply_dropout(rule, p.first_head + g, begin + i, t, scores + i * kKeys);
        }
        if (finite)
          multiply(tile.count, width, kKeys, {scores, kKeys, 1}, values + t * width, width, out, width, true);
        else
          multiply_skipping_zeros(tile.count, width, kKeys, {scores, kKeys, 1}, values + t * width, width,
                                  out, width);
      }
      for (std::int64_t i = 0; i < tile.count; ++i) {
        T* row = result.out.row(begin + i) + g * result.out_head_stride;
        const float inverse = sum[i] == 0 ? 0.0F : 1 / sum[i];
        for (std::int64_t d = 0; d < p.head_dim; ++d)
          from_float(sum[i] == 0 ? 0.0F : out[i * width + d] * inverse, row[d]);
        result.saved.most[g * result.saved.stride + begin + i] = most[i];
        result.saved.inverse[g * result.saved.stride + begin + i] = inverse;
      }
    }
  }
}

// Scores -> probabilities from what the forward pass saved. A hidden entry is exactly 0.
inline void probabilities(float* scores, float scale, float most, float inverse) {
  if (most == -kInfinity) {
    std::fill(scores, scores + kKeys, 0.0F);
    return;
  }
  for (std::int64_t j = 0; j < kKeys; j += kLanes)
    store(scores + j, exp_nonpositive((load(scores + j) - most) * scale) * inverse);
}

// What one tile row of queries needs in the backward pass.
struct BackwardTiles {
  float *q, *grad, *grad_q, *probs, *scores;
  float delta[kRows];
  bool finite;
};

// out[i] = a_i . b_i for kRows rows, summed in the order of multiply(): where a query sees a single key, its
// output is that key's value, and the difference dP - dO . O of the backward pass is then exactly 0.
inline void row_products(const float* a, const float* b, std::int64_t depth, std::int64_t stride,
                         float* out) {
  constexpr std::int64_t kChains = 8;
  for (std::int64_t i = 0; i < kRows; i += kChains) {
    float total[kChains] = {};
    for (std::int64_t begin = 0; begin < depth; begin += kPieceDepth) {
      float sum[kChains] = {};
      for (std::int64_t d = begin; d < std::min(begin + kPieceDepth, depth); ++d)
        for (std::int64_t c = 0; c < kChains; ++c)
          sum[c] += a[(i + c) * stride + d] * b[(i + c) * stride + d];
      for (std::int64_t c = 0; c < kChains; ++c) total[c] = begin == 0 ? sum[c] : total[c] + sum[c];
    }
    for (std::int64_t c = 0; c < kChains; ++c) out[i + c] = total[c];
  }
}

// Sum of prob * ds, where ds may be anything at hidden entries.
inline float expectation(const float* prob, const float* ds) {
  Vec total{};
  for (std::int64_t j = 0; j < kKeys; j += kLanes) {
    const Vec x = load(prob + j);
    total += x == all(0.0F) ? Vec{} : x * load(ds + j);
  }
  return sum_of(total);
}

template <class T>
void backward_tile(const AttentionProblem<T>& p, const QueryTile<T>& tile, std::int64_t t, std::int64_t width,
                   const float* key_panel, const float* value_panel, SoftmaxRows<const float> saved,
                   std::int64_t head, const DropoutRule& rule, BackwardTiles& b) {
  multiply(tile.count, kKeys, p.head_dim, {b.q, width, 1}, key_panel, kKeys, b.probs, kKeys, false);
  multiply(tile.count, kKeys, p.head_dim, {b.grad, width, 1}, value_panel, kKeys, b.scores, kKeys, false);
  tile.hide(t, b.probs);
  for (std::int64_t i = 0; i < tile.count; ++i) {
    float *prob = b.probs + i * kKeys, *ds = b.scores + i * kKeys;
    probabilities(prob, static_cast<float>(p.scale), saved.most[tile.begin + i],
                  saved.inverse[tile.begin + i]);
    if (rule.active()) apply_dropout(rule, head, tile.begin + i, t, ds);
    // dO . O is the mean of dP under P, and rounded differently: where few keys share the weight, the
    // differences dP - delta cancel better when delta is made of these very dP.
    const float delta = tile.within_a_tile(i) ? expectation(prob, ds) : b.delta[i];
    for (std::int64_t j = 0; j < kKeys; j += kLanes) {
      const Vec x = load(prob + j);
      store(ds + j, x == all(0.0F) ? Vec{} : x * (load(ds + j) - delta));
    }
    if (rule.active()) apply_dropout(rule, head, tile.begin + i, t, prob);
  }
}

template <class T>
void backward(const AttentionProblem<T>& p, const AttentionBackward<T>& result, void* workspace,
              AttentionWork& work) {
  const std::int64_t width = padded(p.head_dim, kLanes), keys = padded(p.k_length, kKeys);
  const float scale = static_cast<float>(p.scale);
  const DropoutRule rule(p.dropout);
  Arena arena(workspace);
  float *key_rows = arena.take(keys * width), *key_panels = arena.take(keys * p.head_dim),
        *value_panels = arena.take(keys * p.head_dim), *grad_k = arena.take(keys * width),
        *grad_v = arena.take(keys * width);
  BackwardTiles b{.q = arena.take(kRows * width),
                  .grad = arena.take(kRows * width),
                  .grad_q = arena.take(kRows * width),
                  .probs = arena.take(kRows * kKeys),
                  .scores = arena.take(kRows * kKeys),
                  .delta = {},
                  .finite = true};
  bool finite = pack_rows(p.v.data, p.v.stride, p.k_length, p.head_dim, keys, width, key_rows);
  transpose_panels(key_rows, keys, p.head_dim, width, value_panels);
  finite = pack_rows(p.k.data, p.k.stride, p.k_length, p.head_dim, keys, width, key_rows) && finite;
  transpose_panels(key_rows, keys, p.head_dim, width, key_panels);
  std::fill(grad_k, grad_k + keys * width, 0.0F);
  std::fill(grad_v, grad_v + keys * width, 0.0F);
  const auto accumulate = [&](std::int64_t m, std::int64_t depth, TileA a, const float* right, float* to) {
    if (b.finite)
      multiply(m, width, depth, a, right, width, to, width, true);
    else
      multiply_skipping_zeros(m, width, depth, a, right, width, to, width);
  };
  for (std::int64_t g = 0; g < p.group; ++g) {
    for (std::int64_t begin = 0; begin < p.q_length; begin += kRows) {
      const QueryTile<T> tile(p, begin);
      const T* grad_rows = result.grad_out.row(begin) + g * result.grad_out_head_stride;
      b.finite = pack_rows(p.q.row(begin) + g * p.q_head_stride, p.q.stride, tile.count, p.head_dim,
                           tile.count, width, b.q);
      b.finite = pack_rows(grad_rows, result.grad_out.stride, tile.count, p.head_dim, kRows, width, b.grad) &&
                 b.finite && finite;
      pack_rows(result.out.row(begin) + g * result.out_head_stride, result.out.stride, tile.count, p.head_dim,
                kRows, width, b.grad_q);
      row_products(b.grad, b.grad_q, p.head_dim, width, b.delta);
      std::fill(b.grad_q, b.grad_q + tile.count * width, 0.0F);
      for (std::int64_t t = tile.first; t < tile.last; t += kKeys) {
        if (!tile.meets(t)) continue;
        ++work.tiles;
        backward_tile(
            p, tile, t, width, key_panels + t * p.head_dim, value_panels + t * p.head_dim,
            {result.saved.most + g * result.saved.stride, result.saved.inverse + g * result.saved.stride, 0},
            p.first_head + g, rule, b);
        accumulate(kKeys, tile.count, {b.probs, 1, kKeys}, b.grad, grad_v + t * width);
        accumulate(kKeys, tile.count, {b.scores, 1, kKeys}, b.q, grad_k + t * width);
        accumulate(tile.count, kKeys, {b.scores, kKeys, 1}, key_rows + t * width, b.grad_q);
      }
      for (std::int64_t i = 0; i < tile.count; ++i) {
        T* row = result.grad_q.row(begin + i) + g * result.grad_q_head_stride;
        for (std::int64_t d = 0; d < p.head_dim; ++d) from_float(b.grad_q[i * width + d] * scale, row[d]);
      }
    }
  }
  for (std::int64_t j = 0; j < p.k_length; ++j)
    for (std::int64_t d = 0; d < p.head_dim; ++d) {
      from_float(grad_k[j * width + d] * scale, result.grad_k.row(j)[d]);
      from_float(grad_v[j * width + d], result.grad_v.row(j)[d]);
    }
}

}  // namespace
}  // namespace mgd
