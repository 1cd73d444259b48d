#include <bit>
#include <cmath>
#include <limits>
#include <vector>

#include "mgd/kernels/attention.h"

namespace mgd {

namespace {

double wide(float x) {
  return x;
}
double wide(double x) {
  return x;
}
double wide(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}

void store(double value, float& to) {
  to = static_cast<float>(value);
}
void store(double value, double& to) {
  to = value;
}
void store(double value, Bf16& to) {  // round to nearest even
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(value));
  to.bits =
      static_cast<std::uint16_t>(std::isnan(value) ? 0x7FC0 : (bits + 0x7FFF + ((bits >> 16) & 1)) >> 16);
}

template <class T>
bool visible(const AttentionProblem<T>& p, std::int64_t i, std::int64_t j) {
  return p.first[i] <= j && j < p.last[i] && (p.extra == nullptr || p.extra[i * p.extra_stride + j] != 0);
}

template <class A, class B>
double dot(const A* a, const B* b, std::int64_t n) {
  double sum = 0;
  for (std::int64_t d = 0; d < n; ++d) sum += wide(a[d]) * wide(b[d]);
  return sum;
}

double dropout_factor(const DropoutRule& rule, std::int64_t head, std::int64_t i, std::int64_t j) {
  if (!rule.active()) return 1;
  float factors[8];
  rule.fill(head, i, j / 8, factors);
  return factors[j % 8];
}

}  // namespace

template <class T>
void attention_forward_ref(const AttentionProblem<T>& p, const AttentionForward<T>& result) {
  const DropoutRule rule(p.dropout);
  for (std::int64_t g = 0; g < p.group; ++g) {
    for (std::int64_t i = 0; i < p.q_length; ++i) {
      const T* q = p.q.row(i) + g * p.q_head_stride;
      double most = -std::numeric_limits<double>::infinity(), sum = 0;
      for (std::int64_t j = 0; j < p.k_length; ++j)
        if (visible(p, i, j)) most = std::max(most, dot(q, p.k.row(j), p.head_dim));
      std::vector<double> out(static_cast<std::size_t>(p.head_dim), 0.0);
      for (std::int64_t j = 0; j < p.k_length; ++j) {
        if (!visible(p, i, j)) continue;
        const double e = std::exp(p.scale * (dot(q, p.k.row(j), p.head_dim) - most));
        sum += e;
        const double weight = e * dropout_factor(rule, p.first_head + g, i, j);
        for (std::int64_t d = 0; d < p.head_dim; ++d)
          out[static_cast<std::size_t>(d)] += weight * wide(p.v.row(j)[d]);
      }
      for (std::int64_t d = 0; d < p.head_dim; ++d)
        store(sum == 0 ? 0.0 : out[static_cast<std::size_t>(d)] / sum,
              (result.out.row(i) + g * result.out_head_stride)[d]);
      result.saved.most[g * result.saved.stride + i] = static_cast<SavedType<T>>(most);
      result.saved.inverse[g * result.saved.stride + i] = static_cast<SavedType<T>>(sum == 0 ? 0.0 : 1 / sum);
    }
  }
}

// With P the probabilities, Z the dropout factors and O the output of a query: dV = (P Z)^T dO,
// dP = Z (dO V^T), dS = P (dP - dO . O), dQ = scale dS K, dK = scale dS^T Q.
template <class T>
void attention_backward_ref(const AttentionProblem<T>& p, const AttentionBackward<T>& result) {
  const DropoutRule rule(p.dropout);
  const std::int64_t n = p.head_dim;
  std::vector<double> dk(static_cast<std::size_t>(p.k_length * n), 0.0), dv(dk);
  for (std::int64_t g = 0; g < p.group; ++g) {
    for (std::int64_t i = 0; i < p.q_length; ++i) {
      const T* q = p.q.row(i) + g * p.q_head_stride;
      const T* grad = result.grad_out.row(i) + g * result.grad_out_head_stride;
      const double most = result.saved.most[g * result.saved.stride + i],
                   inverse = result.saved.inverse[g * result.saved.stride + i];
      const double delta = dot(result.out.row(i) + g * result.out_head_stride, grad, n);
      std::vector<double> dq(static_cast<std::size_t>(n), 0.0);
      for (std::int64_t j = 0; j < p.k_length; ++j) {
        if (!visible(p, i, j)) continue;
        const double prob = std::exp(p.scale * (dot(q, p.k.row(j), n) - most)) * inverse;
        const double factor = dropout_factor(rule, p.first_head + g, i, j);
        const double ds = p.scale * prob * (factor * dot(grad, p.v.row(j), n) - delta);
        for (std::int64_t d = 0; d < n; ++d) {
          const auto at = static_cast<std::size_t>(j * n + d);
          dv[at] += prob * factor * wide(grad[d]);
          dk[at] += ds * wide(q[d]);
          dq[static_cast<std::size_t>(d)] += ds * wide(p.k.row(j)[d]);
        }
      }
      for (std::int64_t d = 0; d < n; ++d)
        store(dq[static_cast<std::size_t>(d)], (result.grad_q.row(i) + g * result.grad_q_head_stride)[d]);
    }
  }
  for (std::int64_t j = 0; j < p.k_length; ++j)
    for (std::int64_t d = 0; d < n; ++d) {
      store(dk[static_cast<std::size_t>(j * n + d)], result.grad_k.row(j)[d]);
      store(dv[static_cast<std::size_t>(j * n + d)], result.grad_v.row(j)[d]);
    }
}

template void attention_forward_ref(const AttentionProblem<float>&, const AttentionForward<float>&);
template void attention_forward_ref(const AttentionProblem<double>&, const AttentionForward<double>&);
template void attention_forward_ref(const AttentionProblem<Bf16>&, const AttentionForward<Bf16>&);
template void attention_backward_ref(const AttentionProblem<float>&, const AttentionBackward<float>&);
template void attention_backward_ref(const AttentionProblem<double>&, const AttentionBackward<double>&);
template void attention_backward_ref(const AttentionProblem<Bf16>&, const AttentionBackward<Bf16>&);

}  // namespace mgd
