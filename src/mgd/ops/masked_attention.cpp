#include "mgd/ops/masked_attention.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <type_traits>

#include "mgd/core/error.h"
#include "mgd/kernels/attention.h"
#include "mgd/ops/attention_check.h"
#include "mgd/ops/attention_plan.h"

namespace mgd {

namespace {

struct PlanHolder : torch::CustomClassHolder {
  AttentionPlan plan;
};

template <class T>
T* elements(const at::Tensor& t) {
  return static_cast<T*>(t.data_ptr());
}

// One (segment, key/value head): nothing two tasks write is shared, so threads change nothing.
struct Task {
  std::size_t segment;
  std::int64_t head;
};

// The costliest first, taken one by one: ragged segments then keep all threads busy.
template <class Work>
void run_tasks(const AttentionPlan& plan, std::int64_t kv_heads, const Work& work) {
  std::vector<Task> tasks;
  for (std::size_t s = 0; s < plan.segments.size(); ++s)
    for (std::int64_t h = 0; h < kv_heads; ++h) tasks.push_back({s, h});
  const auto cost = [&](const Task& t) {
    return plan.segments[t.segment].q_length * plan.segments[t.segment].k_length;
  };
  std::stable_sort(tasks.begin(), tasks.end(),
                   [&](const Task& a, const Task& b) { return cost(a) > cost(b); });
  std::atomic<std::size_t> next{0};
  at::parallel_for(0, at::get_num_threads(), 1, [&](std::int64_t begin, std::int64_t end) {
    for (; begin < end; ++begin)
      for (std::size_t i = next++; i < tasks.size(); i = next++) work(tasks[i]);
  });
}

std::vector<std::int64_t> row_starts(const AttentionPlan& plan) {
  std::vector<std::int64_t> starts{0};
  for (const auto& s : plan.segments) starts.push_back(starts.back() + s.q_length);
  return starts;
}

std::vector<std::int64_t> extra_starts(const AttentionPlan& plan) {
  std::vector<std::int64_t> starts{0};
  for (const auto& s : plan.segments) starts.push_back(starts.back() + s.q_length * s.k_length);
  return starts;
}

// Everything a pass needs besides the tensors it writes. T: float, double or Bf16.
template <class T>
class Problems {
 public:
  Problems(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v)
      : plan_(plan), q_(q), k_(k), v_(v), rows_(row_starts(plan)), extras_(extra_starts(plan)) {}

  std::int64_t group() const { return q_.size(1) / k_.size(1); }
  std::int64_t first_row(const Task& t) const { return rows_[t.segment]; }
  const AttentionSegment& segment(const Task& t) const { return plan_.segments[t.segment]; }

  AttentionProblem<T> of(const Task& t) const {
    const AttentionSegment& s = segment(t);
    AttentionProblem<T> p{.q_length = s.q_length,
                          .k_length = s.k_length,
                          .head_dim = q_.size(2),
                          .group = group(),
                          .first_head = t.head * group(),
                          .q = rows<const T>(q_, s.q_begin, t.head * group()),
                          .k = rows<const T>(k_, s.k_begin, t.head),
                          .v = rows<const T>(v_, s.k_begin, t.head),
                          .q_head_stride = q_.stride(1),
                          .first = plan_.first.data() + rows_[t.segment],
                          .last = plan_.last.data() + rows_[t.segment],
                          .scale = plan_.scale,
                          .dropout = {plan_.dropout, plan_.dropout_key, static_cast<std::uint64_t>(s.id)}};
    if (!plan_.extra.empty()) {
      p.extra = plan_.extra.data() + extras_[t.segment];
      p.extra_stride = s.k_length;
    }
    return p;
  }

  template <class U>
  static Rows<U> rows(const at::Tensor& t, std::int64_t row, std::int64_t head) {  // t (N, H, D)
    return {elements<U>(t) + row * t.stride(0) + head * t.stride(1), t.stride(0)};
  }

 private:
  const AttentionPlan& plan_;
  const at::Tensor &q_, &k_, &v_;
  std::vector<std::int64_t> rows_, extras_;
};

// Scratch memory of one task, kept by its thread's turn.
class Workspace {
 public:
  explicit Workspace(const AttentionSegment& s, std::int64_t head_dim)
      : memory_(at::empty({attention_workspace(s.q_length, s.k_length, head_dim) + 64},
                          at::TensorOptions().dtype(at::kByte))) {}
  void* data() {
    const auto address = reinterpret_cast<std::uintptr_t>(memory_.data_ptr());
    return reinterpret_cast<void*>((address + 63) / 64 * 64);
  }

 private:
  at::Tensor memory_;
};

at::Tensor inner_contiguous(const at::Tensor& t) {
  return t.stride(-1) == 1 || t.size(-1) <= 1 ? t : t.contiguous();
}

bool covers_all(const std::vector<AttentionSegment>& segments, std::int64_t rows) {
  std::int64_t total = 0;
  for (const auto& s : segments) total += s.q_length;
  return total == rows;
}

template <class S>
SoftmaxRows<S> saved_rows(const at::Tensor& saved, std::int64_t head, std::int64_t row) {  // (2, H, queries)
  S* most = elements<S>(saved) + head * saved.stride(1) + row;
  return {most, most + saved.stride(0), saved.stride(1)};
}

template <class T>
void forward_cpu(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                 at::Tensor& out, at::Tensor& saved) {
  const Problems<T> problems(plan, q, k, v);
  run_tasks(plan, k.size(1), [&](const Task& t) {
    const AttentionProblem<T> p = problems.of(t);
    AttentionForward<T> result{
        .out = Problems<T>::template rows<T>(out, problems.segment(t).q_begin, p.first_head),
        .out_head_stride = out.stride(1),
        .saved = saved_rows<SavedType<T>>(saved, p.first_head, problems.first_row(t))};
    if constexpr (std::is_same_v<T, double>) {
      attention_forward_ref(p, result);
    } else {
      Workspace workspace(problems.segment(t), p.head_dim);
      AttentionWork work;
      attention_kernel<T>(chosen_isa()).forward(p, result, workspace.data(), work);
    }
  });
}

struct Saved {
  const at::Tensor &q, &k, &v, &out, &saved, &grad;
};

template <class T>
void backward_cpu(const AttentionPlan& plan, const Saved& s, at::Tensor& grad_q, at::Tensor& grad_k,
                  at::Tensor& grad_v) {
  const Problems<T> problems(plan, s.q, s.k, s.v);
  run_tasks(plan, s.k.size(1), [&](const Task& t) {
    using P = Problems<T>;
    const AttentionProblem<T> p = problems.of(t);
    const AttentionSegment& segment = problems.segment(t);
    AttentionBackward<T> result{
        .out = P::template rows<const T>(s.out, segment.q_begin, p.first_head),
        .grad_out = P::template rows<const T>(s.grad, segment.q_begin, p.first_head),
        .out_head_stride = s.out.stride(1),
        .grad_out_head_stride = s.grad.stride(1),
        .saved = saved_rows<const SavedType<T>>(s.saved, p.first_head, problems.first_row(t)),
        .grad_q = P::template rows<T>(grad_q, segment.q_begin, p.first_head),
        .grad_k = P::template rows<T>(grad_k, segment.k_begin, t.head),
        .grad_v = P::template rows<T>(grad_v, segment.k_begin, t.head),
        .grad_q_head_stride = grad_q.stride(1)};
    if constexpr (std::is_same_v<T, double>) {
      attention_backward_ref(p, result);
    } else {
      Workspace workspace(segment, p.head_dim);
      AttentionWork work;
      attention_kernel<T>(chosen_isa()).backward(p, result, workspace.data(), work);
    }
  });
}

template <class Call>
void for_type(at::ScalarType type, const Call& call) {
  if (type == at::kFloat) return call(float{});
  if (type == at::kDouble) return call(double{});
  if (type == at::kBFloat16) return call(Bf16{});
  MGD_ASSERT(false);
}

class MaskedAttention : public torch::autograd::Function<MaskedAttention> {
 public:
  static at::Tensor forward(torch::autograd::AutogradContext* ctx, const at::Tensor& q0, const at::Tensor& k0,
                            const at::Tensor& v0, const c10::intrusive_ptr<PlanHolder>& holder) {
    const AttentionPlan& plan = holder->plan;
    const at::Tensor q = inner_contiguous(q0), k = inner_contiguous(k0), v = inner_contiguous(v0);
    const bool all = covers_all(plan.segments, q.size(0));
    at::Tensor out = all ? at::empty(q.sizes(), q.options()) : at::zeros(q.sizes(), q.options());
    // (2, H, queries): SoftmaxRows.
    at::Tensor kept = at::empty({2, q.size(1), static_cast<std::int64_t>(plan.first.size())},
                                q.options().dtype(q.scalar_type() == at::kDouble ? at::kDouble : at::kFloat));
    for_type(q.scalar_type(), [&](auto kind) { forward_cpu<decltype(kind)>(plan, q, k, v, out, kept); });
    ctx->save_for_backward({q, k, v, out, kept});
    ctx->saved_data["plan"] = c10::IValue::make_capsule(holder);
    return out;
  }

  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* ctx,
                                                 torch::autograd::variable_list grads) {
    const auto saved = ctx->get_saved_variables();
    const auto holder = c10::static_intrusive_pointer_cast<PlanHolder>(ctx->saved_data["plan"].toCapsule());
    const at::Tensor grad = inner_contiguous(grads[0]);
    at::Tensor grad_q = at::zeros(saved[0].sizes(), saved[0].options()),
               grad_k = at::zeros(saved[1].sizes(), saved[1].options()),
               grad_v = at::zeros(saved[2].sizes(), saved[2].options());
    for_type(saved[0].scalar_type(), [&](auto kind) {
      backward_cpu<decltype(kind)>(holder->plan, {saved[0], saved[1], saved[2], saved[3], saved[4], grad},
                                   grad_q, grad_k, grad_v);
    });
    return {grad_q, grad_k, grad_v, {}};
  }
};

// Probabilities (H, T, S) of one segment by single operators: any device, differentiable.
at::Tensor map_of_segment(const AttentionPlan& plan, std::size_t index, const at::Tensor& q,
                          const at::Tensor& k) {
  const AttentionSegment& s = plan.segments[index];
  const at::Tensor keep = keep_of_segment(plan, index).to(q.device());
  const at::Tensor queries = q.narrow(0, s.q_begin, s.q_length).transpose(0, 1);
  at::Tensor keys = k.narrow(0, s.k_begin, s.k_length).transpose(0, 1);
  if (keys.size(0) != queries.size(0)) keys = keys.repeat_interleave(queries.size(0) / keys.size(0), 0);
  const at::Tensor scores = at::matmul(queries, keys.transpose(1, 2)) * plan.scale;
  // A row that sees nothing keeps finite scores, so that its softmax, which is thrown away, has a gradient.
  const at::Tensor hide = keep.logical_not() & keep.any(1, true);
  return at::softmax(scores.masked_fill(hide, -std::numeric_limits<double>::infinity()), -1)
      .masked_fill(keep.logical_not(), 0);
}

// (H, T, S): what dropout multiplies the probabilities of one segment by, as the kernels draw it.
at::Tensor dropout_factors(const AttentionPlan& plan, std::size_t index, const at::Tensor& q) {
  const AttentionSegment& s = plan.segments[index];
  const DropoutRule rule({plan.dropout, plan.dropout_key, static_cast<std::uint64_t>(s.id)});
  const std::int64_t blocks = (s.k_length + 7) / 8;
  at::Tensor factors = at::empty({q.size(1), s.q_length, 8 * blocks}, at::TensorOptions().dtype(at::kFloat));
  float* to = factors.mutable_data_ptr<float>();
  for (std::int64_t h = 0; h < q.size(1); ++h)
    for (std::int64_t i = 0; i < s.q_length; ++i)
      for (std::int64_t block = 0; block < blocks; ++block, to += 8) rule.fill(h, i, block, to);
  return factors.narrow(2, 0, s.k_length).to(q.scalar_type());
}

// By single operators: other devices, and where nothing shall be skipped.
at::Tensor composed(const AttentionPlan& plan, const at::Tensor& q, const at::Tensor& k,
                    const at::Tensor& v) {
  at::Tensor out = at::zeros(q.sizes(), q.options());
  for (std::size_t i = 0; i < plan.segments.size(); ++i) {
    const AttentionSegment& s = plan.segments[i];
    at::Tensor values = v.narrow(0, s.k_begin, s.k_length).transpose(0, 1);
    if (values.size(0) != q.size(1)) values = values.repeat_interleave(q.size(1) / values.size(0), 0);
    at::Tensor probs = map_of_segment(plan, i, q, k);
    if (plan.dropout > 0)
      probs = q.is_cpu() ? probs * dropout_factors(plan, i, q) : at::dropout(probs, plan.dropout, true);
    out.narrow(0, s.q_begin, s.q_length).copy_(at::matmul(probs, values).transpose(0, 1));
  }
  return out;
}

at::Tensor attend(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v, AttentionPlan plan,
                  bool skip) {
  if (!q.is_cpu() || !skip) return composed(plan, q, k, v);
  auto holder = c10::make_intrusive<PlanHolder>();
  holder->plan = std::move(plan);
  return MaskedAttention::apply(q, k, v, holder);
}

}  // namespace

std::vector<AttentionSegment> cross_segments(const std::vector<std::int64_t>& q_offsets,
                                             const std::vector<std::int64_t>& k_offsets,
                                             const std::vector<std::int64_t>& ids) {
  if (q_offsets.size() != k_offsets.size())
    fail(ExitCode::usage, "attention: got {} offsets of queries and {} of keys, expected as many of both",
         q_offsets.size(), k_offsets.size());
  if (!ids.empty() && ids.size() + 1 != q_offsets.size())
    fail(ExitCode::usage, "attention: got {} ids for the sequences of {} offsets, expected one a sequence",
         ids.size(), q_offsets.size());
  std::vector<AttentionSegment> segments;
  for (std::size_t s = 0; s + 1 < q_offsets.size(); ++s)
    segments.push_back({.q_begin = q_offsets[s],
                        .q_length = q_offsets[s + 1] - q_offsets[s],
                        .k_begin = k_offsets[s],
                        .k_length = k_offsets[s + 1] - k_offsets[s],
                        .id = s < ids.size() ? ids[s] : static_cast<std::int64_t>(s)});
  return segments;
}

std::vector<AttentionSegment> self_segments(const std::vector<std::int64_t>& offsets,
                                            const std::vector<std::int64_t>& ids) {
  return cross_segments(offsets, offsets, ids);
}

at::Tensor masked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const std::vector<AttentionSegment>& segments, const AttentionOptions& options) {
  check_packed(q, k, v);
  check_options(options);
  const bool backward = at::GradMode::is_enabled() && (k.requires_grad() || v.requires_grad());
  check_segments(segments, q.size(0), k.size(0), backward);
  return attend(q, k, v, plan_packed(segments, options, q.size(2)), options.skip);
}

at::Tensor masked_attention(const at::Tensor& q, const at::Tensor& k, const at::Tensor& v,
                            const AttentionMask& mask, const AttentionOptions& options) {
  check_padded(q, k, v);
  check_options(options);
  const auto packed = [](const at::Tensor& t) {
    return t.transpose(1, 2).reshape({t.size(0) * t.size(2), t.size(1), t.size(3)});
  };
  const std::int64_t batch = q.size(0), queries = q.size(2), keys = k.size(2);
  PaddedPlan padded = plan_padded(mask, options, batch, queries, keys, q.size(3));
  const at::Tensor rows = padded.rows.to(q.device());
  const at::Tensor q_rows = packed(q), k_rows = packed(k).index_select(0, rows),
                   v_rows = packed(v).index_select(0, rows);
  return attend(q_rows, k_rows, v_rows, std::move(padded.plan), options.skip)
      .view({batch, queries, q.size(1), q.size(3)})
      .transpose(1, 2);
}

std::vector<at::Tensor> attention_maps(const at::Tensor& q, const at::Tensor& k,
                                       const std::vector<AttentionSegment>& segments,
                                       const AttentionOptions& options) {
  check_packed(q, k, k);
  check_options(options);
  check_segments(segments, q.size(0), k.size(0), /*backward=*/false);
  const AttentionPlan plan = plan_packed(segments, options, q.size(2));
  std::vector<at::Tensor> maps;
  for (std::size_t i = 0; i < segments.size(); ++i) maps.push_back(map_of_segment(plan, i, q, k));
  return maps;
}

}  // namespace mgd
