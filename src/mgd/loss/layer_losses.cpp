#include "mgd/loss/layer_losses.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/nn/attention.h"
#include "mgd/nn/autocast.h"
#include "mgd/ops/score_distance.h"

namespace mgd {
namespace {

// Queries and keys of a record as heads, after any rotation: what the softmax of this attention sees.
ScoreRows scores_of(const Record& record, const AttentionNodes& nodes, const at::Tensor& positions,
                    const std::string& label, const char* whose) {
  const auto part = [&](std::size_t kind) {
    const std::string& name = nodes.nodes.at(nodes.nodes.size() == 1 ? 0 : kind);
    const auto found = record.nodes.find(name);
    if (found == record.nodes.end())
      fail(ExitCode::usage, "losses.{}: the {}'s features lack the tap '{}'", label, whose, name);
    at::Tensor rows = at_least_float(found->second.data);
    if (nodes.nodes.size() == 1)
      rows = rows.narrow(1, static_cast<std::int64_t>(kind) * nodes.hidden, nodes.hidden);
    return rows.reshape({rows.size(0), nodes.heads, nodes.hidden / nodes.heads});
  };
  ScoreRows all{.q = part(0), .k = part(1)};
  if (nodes.rope_theta > 0) {
    const Rotary angles = rotary(positions, nodes.hidden / nodes.heads, nodes.rope_theta);
    all = {.q = rotate(all.q, angles), .k = rotate(all.k, angles)};
  }
  return all;
}

class ScoreLoss final : public NamedLoss {
 public:
  ScoreLoss(std::string label, const LossOptions& options, const AttentionNodes& student,
            const AttentionNodes& teacher)
      : NamedLoss(std::move(label), options), student_(student), teacher_(teacher) {
    causal_ = student.causal || teacher.causal;
    window_ = student.window < 0   ? teacher.window
              : teacher.window < 0 ? student.window
                                   : std::min(student.window, teacher.window);
  }

  std::vector<std::string> student_taps() const override { return taps_of(student_); }
  std::vector<std::string> teacher_taps() const override { return taps_of(teacher_); }
  bool needs_teacher() const override { return true; }
  double count(const CountInput& input) const override {
    MGD_ASSERT(input.batch != nullptr);
    const auto& offsets = input.batch->tokens.offsets;
    return offsets.empty() ? 0.0
                           : static_cast<double>(visible_pairs(self_segments(offsets), causal_, window_));
  }

  at::Tensor sum(const LossInput& input) override {
    const PackedTokens& tokens = input.batch.tokens;
    if (tokens.num_tokens() == 0) return at::zeros({}, at::kFloat);
    const at::Device device = input.student.nodes.at(student_.nodes.front()).data.device();
    const AutocastGuard without_autocast(false, device);  // a difference of scores in bfloat16 is noise
    const at::Tensor positions =
        tokens.positions.defined() ? tokens.positions : natural_positions(tokens.offsets, device);
    const ScoreRows student = scores_of(input.student, student_, positions, label(), "student");
    const ScoreRows teacher = scores_of(input.teacher, teacher_, positions, label(), "teacher");
    const auto type = student.q.scalar_type();
    return score_distance(student, {.q = teacher.q.to(type), .k = teacher.k.to(type)},
                          {.offsets = tokens.offsets, .causal = causal_, .window = window_}) *
           (1.0 / static_cast<double>(student_.heads));
  }

  std::string describe() const override {
    return fmt::format("scores of student {} -> teacher {}, {} heads{}{}; weight {:g} per visible pair",
                       student_.nodes.front(), teacher_.nodes.front(), student_.heads,
                       causal_ ? ", causal" : "", window_ < 0 ? "" : fmt::format(", window {}", window_),
                       weight());
  }

 private:
  static std::vector<std::string> taps_of(const AttentionNodes& nodes) {  // values have no scores
    if (nodes.nodes.size() == 1) return nodes.nodes;
    return {nodes.nodes.at(0), nodes.nodes.at(1)};
  }

  AttentionNodes student_, teacher_;
  bool causal_;
  std::int64_t window_;
};

class HiddenRowsLoss final : public NamedLoss {
 public:
  HiddenRowsLoss(const LossEntry& entry, std::string label, const LossOptions& options,
                 std::vector<TapPair> pairs, const std::string& align)
      : NamedLoss(std::move(label), options), pairs_(std::move(pairs)) {
    AlignedOptions aligned;
    aligned.align = align;
    RandomStream random = init_stream(entry, pairs_.front());
    map_ = std::make_unique<AlignBlock>(pairs_.front(), aligned, random);
  }

  std::vector<std::string> student_taps() const override { return taps_of(&TapPair::student); }
  std::vector<std::string> teacher_taps() const override { return taps_of(&TapPair::teacher); }
  bool needs_teacher() const override { return true; }
  Module* trainable() override { return map_->is_identity() ? nullptr : map_.get(); }
  double count(const CountInput& input) const override {
    MGD_ASSERT(input.batch != nullptr);
    return static_cast<double>(input.batch->tokens.num_tokens()) * pairs_.front().teacher_elements();
  }

  at::Tensor sum(const LossInput& input) override {
    at::Tensor total;
    for (const TapPair& pair : pairs_) {
      const at::Tensor part =
          at::sum(at::square(map_->align(student_map_of(pair, input)) - teacher_map_of(pair, input)));
      total = total.defined() ? total + part : part;
    }
    return total;
  }

  std::string describe() const override {
    std::string met;
    for (const TapPair& pair : pairs_)
      met += fmt::format("{}{} -> {}", met.empty() ? "" : ", ", pair.student, pair.teacher);
    return fmt::format("hidden rows of student ({}) -> teacher ({}){}: {}; weight {:g} per element",
                       pairs_.front().student_shape[0], pairs_.front().teacher_shape[0],
                       map_->is_identity() ? "" : " through one map", met, weight());
  }

 private:
  std::vector<std::string> taps_of(std::string TapPair::*side) const {
    std::vector<std::string> taps;
    for (const TapPair& pair : pairs_) taps.push_back(pair.*side);
    return taps;
  }

  std::vector<TapPair> pairs_;
  std::unique_ptr<AlignBlock> map_;
};

}  // namespace

std::unique_ptr<Loss> make_score_loss(std::string label, const LossOptions& options,
                                      const AttentionNodes& student, const AttentionNodes& teacher) {
  return std::make_unique<ScoreLoss>(std::move(label), options, student, teacher);
}

std::unique_ptr<Loss> make_hidden_rows_loss(const LossEntry& entry, std::string label,
                                            const LossOptions& options, std::vector<TapPair> pairs,
                                            const std::string& align) {
  return std::make_unique<HiddenRowsLoss>(entry, std::move(label), options, std::move(pairs), align);
}

}  // namespace mgd
