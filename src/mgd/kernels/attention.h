// Masked attention of one sequence and one key/value head on raw rows. See ops/masked_attention.h for the
// contract.
#pragma once

#include <cstdint>
#include <type_traits>

#include "mgd/core/bf16.h"
#include "mgd/kernels/isa.h"
#include "mgd/kernels/rows.h"

namespace mgd {

// Inverted dropout of the probabilities: entry (i, j) is a pure function of (key, id, head, i, j).
struct AttentionDropout {
  double p = 0;
  std::uint64_t key = 0;  // of (seed, step, layer)
  std::uint64_t id = 0;   // of the sample
};

// `group` query heads share the keys and values; head g's queries start `q_head_stride` elements after those
// of g - 1. Query i sees the keys [first[i], last[i]) for which `extra` (when given) holds a 1.
template <class T>
struct AttentionProblem {
  std::int64_t q_length = 0, k_length = 0, head_dim = 0, group = 1;
  std::int64_t first_head = 0;  // number of the first of the query heads: dropout depends on it
  Rows<const T> q, k, v;        // (q_length, D), (k_length, D), (k_length, D)
  std::int64_t q_head_stride = 0;
  const std::int32_t* first = nullptr;  // (q_length)
  const std::int32_t* last = nullptr;   // (q_length)
  const std::uint8_t* extra = nullptr;  // (q_length, k_length), rows `extra_stride` apart
  std::int64_t extra_stride = 0;
  double scale = 1;  // > 0
  AttentionDropout dropout;
};

// What the passes share of each query and head, (group, q_length): the probability of a score s is exp(s -
// most) * inverse. Two numbers and not their log-sum-exp, whose rounding alone would double the error of
// every gradient. Nothing visible: -inf and 0.
template <class T>
struct SoftmaxRows {
  T* most = nullptr;
  T* inverse = nullptr;
  std::int64_t stride = 0;  // between heads
};
template <class T>
using SavedType = std::conditional_t<std::is_same_v<T, double>, double, float>;

template <class T>
struct AttentionForward {
  Rows<T> out;  // strides as q's, heads `out_head_stride` apart
  std::int64_t out_head_stride = 0;
  SoftmaxRows<SavedType<T>> saved;
};

template <class T>
struct AttentionBackward {
  Rows<const T> out, grad_out;  // strides and heads as in the forward pass
  std::int64_t out_head_stride = 0, grad_out_head_stride = 0;
  SoftmaxRows<const SavedType<T>> saved;
  Rows<T> grad_q, grad_k, grad_v;  // written, not added to
  std::int64_t grad_q_head_stride = 0;
};

// What a call did, for the promise that hidden work is not done.
struct AttentionWork {
  std::int64_t tiles = 0;  // of kAttentionRows x kAttentionKeys, all heads
};
inline constexpr std::int64_t kAttentionRows = 48, kAttentionKeys = 64;

// The production kernels. `workspace` holds attention_workspace(...) bytes, aligned to 64; nothing is
// allocated. Saved between the passes: `out` and `saved`.
template <class T>
struct AttentionKernel {
  void (*forward)(const AttentionProblem<T>&, const AttentionForward<T>&, void* workspace, AttentionWork&);
  void (*backward)(const AttentionProblem<T>&, const AttentionBackward<T>&, void* workspace, AttentionWork&);
};
template <class T>
AttentionKernel<T> attention_kernel(Isa isa);  // T: float or Bf16
std::int64_t attention_workspace(std::int64_t q_length, std::int64_t k_length, std::int64_t head_dim);

// Visited tiles by the formula: a tile is visited iff one of its rows has a visible range that meets it.
std::int64_t count_attention_tiles(const std::int32_t* first, const std::int32_t* last, std::int64_t q_length,
                                   std::int64_t k_length);

// The readable reference: every sum in double, no tiles, no tricks. T: float, double or Bf16.
template <class T>
void attention_forward_ref(const AttentionProblem<T>& problem, const AttentionForward<T>& result);
template <class T>
void attention_backward_ref(const AttentionProblem<T>& problem, const AttentionBackward<T>& result);

// Factor of probability (i, j): 0, or 1 / (1 - p). Both passes, all instruction sets and the reference use
// this rule: the 16-bit lane j % 8 of the Philox4x32-7 block with counter (j / 8, i, head, id) is below p *
// 65536: dropped.
class DropoutRule {
 public:
  explicit DropoutRule(const AttentionDropout& dropout);
  bool active() const { return threshold_ > 0; }
  float factor() const { return factor_; }  // 1 / (1 - p), of the p that 16 bits can express
  // Factors of keys [8 * block, 8 * block + 8) for query i.
  void fill(std::int64_t head, std::int64_t i, std::int64_t block, float* factors) const;

  // What a kernel that draws many blocks at once needs of it.
  static constexpr int kRounds = 7;
  struct Start {
    std::uint32_t c1, c2, c3, k0, k1;  // counter but for the block, and key
  };
  Start start(std::int64_t head, std::int64_t i) const;
  std::uint32_t threshold() const { return threshold_; }

 private:
  std::uint32_t threshold_;
  float factor_;
  std::uint64_t key_, id_;
};

}  // namespace mgd
