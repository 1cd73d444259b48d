#include "mgd/train/step.h"

#include <ATen/TensorOperators.h>

#include "mgd/nn/autocast.h"
#include "mgd/nn/batch_to.h"

namespace mgd {

namespace {

double progress_frac(const Run& run, std::int64_t step) {
  return run.total_steps > 1 ? static_cast<double>(step) / static_cast<double>(run.total_steps - 1) : 0.0;
}

}  // namespace

StepPlan plan_step(const Run& run, const StepBatches& batches, std::int64_t step) {
  StepPlan plan{
      .step = step, .loss_keep = {}, .node_keep = {}, .counts = std::vector<double>(run.losses.size(), 0.0)};
  const double progress = progress_frac(run, step);
  const auto step32 = static_cast<std::uint32_t>(step);
  for (const Batch& batch : batches.micro) {
    std::vector<at::Tensor> loss_keep, node_keep;
    for (std::size_t i = 0; i < run.losses.size(); ++i) {
      const ActiveLoss& active = run.losses[i];
      at::Tensor keep;
      if (active.mask)
        keep = active.mask->draw(active.loss->mask_request()->node, batch, step32, progress).to(run.device);
      plan.counts[i] += active.loss->count(
          {.batch_size = batch.size(), .num_targets = batch.num_targets(), .keep = keep, .batch = &batch});
      loss_keep.push_back(keep);
    }
    for (const auto& mask : run.node_masks) node_keep.push_back(mask->draw(batch, step32, progress));
    plan.loss_keep.push_back(std::move(loss_keep));
    plan.node_keep.push_back(std::move(node_keep));
  }
  return plan;
}

Record student_forward(Run& run, const Batch& batch, std::int64_t step,
                       const std::vector<at::Tensor>& node_keep) {
  if (run.head_features) return run.head_features->forward(run, batch, step);
  AutocastGuard autocast(run.bf16(), run.device);
  Forward forward(/*training=*/true);
  forward.use_winograd(run.config.train.winograd);
  forward.skip_hidden(run.config.train.skip_hidden);
  forward.draw_from({.seed = static_cast<std::uint64_t>(run.config.run.seed),
                     .step = static_cast<std::uint32_t>(step),
                     .sample_ids = batch.sample_ids});
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->student_taps()) forward.capture(tap);
  for (std::size_t i = 0; i < run.node_masks.size(); ++i)
    forward.edit(run.node_masks[i]->options().node, [&mask = *run.node_masks[i], &keep = node_keep[i]](
                                                        const at::Tensor& x) { return mask.apply(x, keep); });
  return run.student->run(batch, forward);
}

at::Tensor distill_loss(Run& run, const Batch& batch, const Record& student, const Record& teacher,
                        const std::vector<at::Tensor>& keep, const std::vector<double>& counts,
                        StepResult& result) {
  AutocastGuard autocast(run.bf16(), run.device);
  at::Tensor total;
  for (std::size_t i = 0; i < run.losses.size(); ++i) {
    Loss& loss = *run.losses[i].loss;
    if (counts[i] == 0) continue;  // nothing to learn from in the whole step: sum 0, count 0
    const at::Tensor sum =
        loss.sum({.batch = batch, .student = student, .teacher = teacher, .keep = keep[i]});
    result.parts[loss.label()] += sum.item<double>() / counts[i];
    const at::Tensor part = sum * (loss.weight() / counts[i]);
    total = total.defined() ? total + part : part;
  }
  return total;
}

StepResult forward_backward(Run& run, const StepBatches& batches, std::int64_t step) {
  StepResult result;
  const StepPlan plan = plan_step(run, batches, step);
  for (std::size_t m = 0; m < batches.micro.size(); ++m) {
    Batch batch = batch_to(batches.micro[m], run.device);
    batch.view = run.task->num_views() > 0 ? batches.epoch % run.task->num_views() : -1;
    const Record teacher = teacher_forward(run, batch);
    const Record student = student_forward(run, batch, step, plan.node_keep[m]);
    const at::Tensor loss =
        distill_loss(run, batch, student, teacher, plan.loss_keep[m], plan.counts, result);
    if (loss.defined() && loss.requires_grad()) loss.backward();
    if (loss.defined()) result.loss += loss.item<double>();
    if (run.task->num_classes() > 0)
      result.correct += student.logits.argmax(1).eq(batch.target).sum().item<std::int64_t>();
    result.samples += batch.size();
    result.sample_ids.insert(result.sample_ids.end(), batch.sample_ids.begin(), batch.sample_ids.end());
  }
  return result;
}

}  // namespace mgd
