// MGD on the rows of a text: a sentence is a map of height 1, and its two convolutions have width 3.
#include <ATen/TensorOperators.h>
#include <ATen/ops/all.h>
#include <ATen/ops/any.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <iterator>

#include "mgd/core/error.h"
#include "mgd/loss/mgd_options.h"
#include "mgd/nn/init.h"
#include "mgd/ops/row_conv.h"

namespace mgd {
namespace {

using Rows = std::vector<std::int64_t>;

// Weights as nn.Conv1d starts them and names them.
class RowConv : public Module {
 public:
  RowConv(std::int64_t width, RandomStream& random) {
    const double bound = 1 / std::sqrt(3.0 * static_cast<double>(width));
    weight_ = &add_parameter("weight", drawn_uniform({width, width, 3}, random, bound), TensorKind::weight);
    bias_ = &add_parameter("bias", drawn_uniform({width}, random, bound), TensorKind::bias);
  }
  const at::Tensor& weight() const { return *weight_; }  // (H, H, 3)
  const at::Tensor& bias() const { return *bias_; }      // (H)

 private:
  at::Tensor *weight_ = nullptr, *bias_ = nullptr;
};

// What is seen, what of the first convolution's rows is therefore no constant, and what is compared.
struct RowPlan {
  Rows seen, active, compared;
  RowPairs first, second;
  at::Tensor constant;  // (n compared, 3) float: 1 where a tap reads a row of the sequence that is not active
};

class RowBlock : public AlignBlock {
 public:
  RowBlock(const TapPair& taps, const GenerativeOptions& options, RandomStream& random)
      : AlignBlock(taps, options, random),
        first_(make_child<RowConv>("generation.0", taps.teacher_shape[0], random)),
        second_(make_child<RowConv>("generation.2", taps.teacher_shape[0], random)) {
    if (options.fill != "token") return;
    token_ =
        &add_parameter("mask_token", drawn_mask_token({1, taps.teacher_shape[0]}, random), TensorKind::bias);
  }
  bool has_token() const { return token_ != nullptr; }

  // student (N, Hs), keep (N, 1) or (N, H) or undefined -> (n compared, H). A row that is hidden as a whole
  // is never read: a NaN in it stops here, and nothing is computed from it.
  at::Tensor generate(const at::Tensor& student, const at::Tensor& keep, const RowPlan& plan) {
    const at::Tensor index = index_of(plan.seen, student.device());
    at::Tensor rows = align(student.index_select(0, index));  // (n seen, H)
    if (keep.defined() && keep.size(1) > 1) rows = at::where(keep.index_select(0, index), rows, filler(rows));
    if (token_ != nullptr) rows = with_tokens(rows, plan, student.size(0));
    const at::Tensor inner = at::relu(row_conv3(rows, plan.first, first_.weight(), first_.bias()));
    const at::Tensor made = row_conv3(at_least_float(inner), plan.second, second_.weight(), second_.bias());
    if (!plan.constant.defined()) return made;
    // What a row gives that sees nothing but hidden ones, by tap: (3, H).
    const at::Tensor constant = at::matmul(second_.weight().permute({2, 0, 1}), at::relu(first_.bias()));
    return made + at::matmul(plan.constant.to(made.scalar_type()), constant);
  }

  static at::Tensor index_of(const Rows& rows, at::Device device) {
    return at::tensor(rows, at::kLong).to(device);
  }

 private:
  at::Tensor filler(const at::Tensor& like) const {
    return token_ != nullptr ? token_->to(like.scalar_type()) : at::zeros({}, like.options());
  }
  // All N rows, the token where none is seen.
  at::Tensor with_tokens(const at::Tensor& rows, const RowPlan& plan, std::int64_t count) const {
    const at::Tensor all = filler(rows).expand({count, rows.size(1)});
    return all.index_copy(0, index_of(plan.seen, rows.device()), rows);
  }

  RowConv &first_, &second_;
  at::Tensor* token_ = nullptr;  // (1, H)
};

// Yang et al., ECCV 2022, equations (3) to (5), with positions of a sequence in place of those of a map: the
// sum of (G(keep * align(S)) - T)^2 over all rows, or over what is hidden. No sequence sees its neighbour in
// the batch.
class RowGenerative final : public GenerativeLoss {
 public:
  RowGenerative(const LossEntry& entry, TapPair pair, const GenerativeOptions& options)
      : GenerativeLoss(entry, std::move(pair), options),
        skips_(entry.context.skip_hidden && options.skip_hidden() != SkipHidden::never) {
    RandomStream random = init_stream(entry, taps());
    block_ = std::make_unique<RowBlock>(taps(), options, random);
    if (options.by_phi_s()) standardise_target(entry, *block_);
  }

  Module* trainable() override { return block_.get(); }

  at::Tensor sum(const LossInput& input) override {
    const at::Tensor student = student_map(input), teacher = teacher_map(input);
    const PackedTokens& tokens = tokens_of(taps().teacher_info, input.batch);
    const RowPlan plan = plan_of(input.keep, tokens.offsets, student.device());
    const at::Tensor made = at_least_float(block_->generate(student, input.keep, plan));
    const at::Tensor compared = RowBlock::index_of(plan.compared, student.device());
    const at::Tensor error = at::square(made - teacher.index_select(0, compared));
    if (!on_hidden() || !input.keep.defined()) return at::sum(error) * (on_hidden() ? 0.0 : 1.0);
    return at::sum(at::where(input.keep.index_select(0, compared), 0.0, error));
  }

  std::string describe() const override { return describe_generation("elements of a token"); }

 private:
  RowPlan plan_of(const at::Tensor& keep, const Rows& offsets, at::Device device) const {
    const std::int64_t count = offsets.back();
    const auto rows_where = [&](const auto& wanted) {
      Rows rows;
      for (std::int64_t r = 0; r < count; ++r)
        if (wanted(r)) rows.push_back(r);
      return rows;
    };
    const at::Tensor any_seen = keep.defined() ? at::any(keep, 1).cpu().contiguous() : at::Tensor();
    const at::Tensor all_seen = keep.defined() ? at::all(keep, 1).cpu().contiguous() : at::Tensor();
    const bool* some = keep.defined() ? any_seen.const_data_ptr<bool>() : nullptr;
    const bool* whole = keep.defined() ? all_seen.const_data_ptr<bool>() : nullptr;
    const Rows all = rows_where([](std::int64_t) { return true; });
    RowPlan plan;
    plan.seen = rows_where([&](std::int64_t r) { return some == nullptr || some[r]; });
    plan.compared =
        on_hidden() && whole != nullptr ? rows_where([&](std::int64_t r) { return !whole[r]; }) : all;
    // A token is seen everywhere: nothing is left out.
    const Rows& input = block_->has_token() ? all : plan.seen;
    plan.active = skips_ && !block_->has_token() ? near(plan.seen, offsets) : all;
    if (skips_ && plan.compared.size() < all.size()) {
      // What nobody asks for is not made either.
      plan.active = both(plan.active, near(plan.compared, offsets));
      if (!block_->has_token()) plan.seen = both(plan.seen, near(plan.active, offsets));
    }
    plan.first = row_pairs(offsets, input, plan.active, device);
    plan.second = row_pairs(offsets, plan.active, plan.compared, device);
    if (plan.active.size() < all.size()) plan.constant = constant_taps(plan, all, offsets).to(device);
    return plan;
  }

  // The rows that see one of `rows`: itself or a neighbour in its sequence.
  static Rows near(const Rows& rows, const Rows& offsets) {
    std::vector<char> reached(static_cast<std::size_t>(offsets.back()), 0);
    std::size_t sequence = 0;
    for (const std::int64_t row : rows) {
      while (row >= offsets[sequence + 1]) ++sequence;
      for (std::int64_t r = std::max(row - 1, offsets[sequence]);
           r <= std::min(row + 1, offsets[sequence + 1] - 1); ++r)
        reached[static_cast<std::size_t>(r)] = 1;
    }
    Rows near;
    for (std::size_t r = 0; r < reached.size(); ++r)
      if (reached[r] != 0) near.push_back(static_cast<std::int64_t>(r));
    return near;
  }

  static Rows both(const Rows& a, const Rows& b) {
    Rows rows;
    std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(rows));
    return rows;
  }

  static at::Tensor constant_taps(const RowPlan& plan, const Rows& all, const Rows& offsets) {
    Rows idle;
    std::size_t next = 0;
    for (const std::int64_t row : all) {
      if (next < plan.active.size() && plan.active[next] == row)
        ++next;
      else
        idle.push_back(row);
    }
    const RowPairs pairs = row_pairs(offsets, idle, plan.compared);
    at::Tensor taps = at::zeros({static_cast<std::int64_t>(plan.compared.size()), 3}, at::kFloat);
    for (std::int64_t d = 0; d < 3; ++d)
      taps.select(1, d).index_fill_(0, pairs.to[static_cast<std::size_t>(d)], 1.0);
    return taps;
  }

  bool skips_;
  std::unique_ptr<RowBlock> block_;
};

}  // namespace

std::unique_ptr<Loss> make_row_generative(const LossEntry& entry, TapPair taps,
                                          const GenerativeOptions& options) {
  return std::make_unique<RowGenerative>(entry, std::move(taps), options);
}

}  // namespace mgd
