#include "mgd/train/labelled_part.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/tensor.h>

namespace mgd {
namespace {

bool leaves_out(const Loss& loss, const Places& labelled) {
  return labelled.has_value() && loss.reads_targets();
}

// One a sample, or the same for all of them.
at::Tensor cut_mask(const at::Tensor& keep, const Batch& batch, const std::vector<std::int64_t>& places) {
  if (!keep.defined() || keep.size(0) != batch.size()) return keep;
  return keep.index_select(0, at::tensor(places, at::TensorOptions().dtype(at::kLong)).to(keep.device()));
}

Record with_nodes(const Record& all, const std::vector<std::string>& names) {
  Record some;
  some.logits = all.logits;
  some.embedding = all.embedding;
  for (const std::string& name : names)
    if (const auto node = all.nodes.find(name); node != all.nodes.end()) some.nodes.insert(*node);
  return some;
}

}  // namespace

Places labelled_places(const Batch& batch) {
  if (batch.target_type != TargetType::classes || !batch.target.defined()) return std::nullopt;
  at::Tensor known = batch.target.ge(0);
  constexpr double kWhole = 0.999;  // soft targets add up to 1, in float
  if (batch.target_probs.defined()) known = batch.target_probs.sum(1).ge(kWhole);
  if (known.all().item<bool>()) return std::nullopt;
  const at::Tensor places = known.nonzero().flatten().to(at::kCPU).contiguous();
  const auto* first = places.const_data_ptr<std::int64_t>();
  return std::vector<std::int64_t>(first, first + places.numel());
}

double count_of(const Loss& loss, const Batch& batch, const Places& labelled, const at::Tensor& keep) {
  if (!leaves_out(loss, labelled))
    return loss.count(
        {.batch_size = batch.size(), .num_targets = batch.num_targets(), .keep = keep, .batch = &batch});
  if (labelled->empty()) return 0;
  const Batch seen = select_samples(batch, *labelled);
  return loss.count({.batch_size = seen.size(),
                     .num_targets = seen.num_targets(),
                     .keep = cut_mask(keep, batch, *labelled),
                     .batch = &seen});
}

SeenInput::SeenInput(const Loss& loss, const LossInput& all, const Places& labelled)
    : all_(all), cut_(leaves_out(loss, labelled)) {
  if (!cut_) return;
  Batch batch = all.batch;
  batch.input.reset();  // no loss reads them
  batch.teacher_input.reset();
  batch_ = select_samples(batch, *labelled);
  student_ = select_samples(with_nodes(all.student, loss.student_taps()), *labelled);
  teacher_ = select_samples(with_nodes(all.teacher, loss.teacher_taps()), *labelled);
  keep_ = cut_mask(all.keep, all.batch, *labelled);
}

LossInput SeenInput::get() const {
  if (!cut_) return all_;
  return {.batch = batch_, .student = student_, .teacher = teacher_, .keep = keep_};
}

}  // namespace mgd
