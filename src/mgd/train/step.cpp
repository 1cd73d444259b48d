#include "mgd/train/step.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "mgd/nn/autocast.h"
#include "mgd/nn/batch_to.h"

namespace mgd {

namespace {

double progress_frac(const Run& run, std::int64_t step) {
  return run.total_steps > 1 ? static_cast<double>(step) / static_cast<double>(run.total_steps - 1) : 0.0;
}

ModelOutput on_device(ModelOutput output, at::Device device) {
  output.logits = output.logits.to(device);
  for (auto& [name, tap] : output.taps) tap = tap.to(device);
  return output;
}

ModelOutput run_teacher(Run& run, const Batch& batch) {
  Forward forward(run.config.train.teacher_norm == "batch");
  forward.use_winograd(run.config.train.winograd);
  forward.skip_hidden(run.config.train.skip_hidden);
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->teacher_taps()) forward.capture(tap);
  ModelOutput output = run.teacher->run(batch, forward);
  output.taps = forward.captured();
  return output;
}

// In evaluation mode samples know nothing of each other, and activations of a few megabytes stay in the
// caches: on the CPU the batch goes through in slices.
std::int64_t teacher_slice(const Run& run, std::int64_t batch_size) {
  if (run.image == nullptr || !run.device.is_cpu() || run.config.train.teacher_norm == "batch")
    return batch_size;
  constexpr std::int64_t kFloats = 1 << 20,
                         kFewest = 16;  // of the largest activation, a thread; samples of a slice
  std::int64_t largest = 1;
  for (const auto& node : run.teacher_summary.nodes)
    largest = std::max(
        largest, std::accumulate(node.shape.begin(), node.shape.end(), std::int64_t{1}, std::multiplies<>()));
  return std::max(kFewest, kFloats * at::get_num_threads() / largest);
}

ModelOutput live_teacher(Run& run, const Batch& batch) {
  at::NoGradGuard no_grad;
  AutocastGuard autocast(run.bf16(), run.device);
  const std::int64_t size = teacher_slice(run, batch.size());
  if (size >= batch.size()) return run_teacher(run, batch);
  std::vector<at::Tensor> logits;
  std::map<std::string, std::vector<at::Tensor>> taps;
  for (const at::Tensor& input : batch.input.split(size)) {
    Batch slice;
    slice.input = input;
    ModelOutput part = run_teacher(run, slice);
    logits.push_back(part.logits);
    for (auto& [name, tap] : part.taps) taps[name].push_back(tap);
  }
  ModelOutput output{.logits = at::cat(logits), .taps = {}};
  for (const auto& [name, parts] : taps) output.taps[name] = at::cat(parts);
  return output;
}

// An epoch leaves out the samples that fill no batch, so a few are missing in many batches of the next cycle.
void fill_in(Run& run, const Batch& batch, TeacherCache::Loaded& loaded) {
  const at::Tensor places = at::tensor(loaded.missing, at::TensorOptions().dtype(at::kLong));
  Batch part;
  part.input = batch.input.index_select(0, places.to(batch.input.device()));
  for (const std::int64_t place : loaded.missing)
    part.sample_ids.push_back(batch.sample_ids[static_cast<std::size_t>(place)]);
  const ModelOutput output = live_teacher(run, part);
  run.teacher_cache->store(batch.view, part.sample_ids, output);
  loaded.output.logits.index_copy_(0, places, output.logits.to(at::kCPU, at::kFloat));
  for (auto& [name, tap] : loaded.output.taps)
    tap.index_copy_(0, places, output.taps.at(name).to(at::kCPU, at::kFloat));
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
        keep = active.mask->draw(active.loss->mask_request()->shape, step32, progress, batch.sample_ids)
                   .to(run.device);
      plan.counts[i] +=
          active.loss->count({.batch_size = batch.size(), .num_targets = batch.num_targets(), .keep = keep});
      loss_keep.push_back(keep);
    }
    for (const auto& mask : run.node_masks)
      node_keep.push_back(mask->draw(step32, progress, batch.sample_ids));
    plan.loss_keep.push_back(std::move(loss_keep));
    plan.node_keep.push_back(std::move(node_keep));
  }
  return plan;
}

ModelOutput teacher_forward(Run& run, const Batch& batch) {
  if (!run.teacher) return {};
  if (!run.teacher_cache || batch.view < 0) return live_teacher(run, batch);
  TeacherCache& cache = *run.teacher_cache;
  TeacherCache::Loaded loaded = cache.load(batch.view, batch.sample_ids);
  const std::size_t missing = loaded.missing.size();
  if (missing == batch.sample_ids.size()) {
    const ModelOutput output = live_teacher(run, batch);
    cache.store(batch.view, batch.sample_ids, output);
    return output;
  }
  if (missing > 0)
    fill_in(run, batch, loaded);
  else if (!cache.verified())
    cache.verify(loaded.output, live_teacher(run, batch));
  return on_device(std::move(loaded.output), run.device);
}

ModelOutput student_forward(Run& run, const Batch& batch, std::int64_t step,
                            const std::vector<at::Tensor>& node_keep) {
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
  ModelOutput output = run.student->run(batch, forward);
  output.taps = forward.captured();
  return output;
}

at::Tensor distill_loss(Run& run, const Batch& batch, const ModelOutput& student, const ModelOutput& teacher,
                        const std::vector<at::Tensor>& keep, const std::vector<double>& counts,
                        StepResult& result) {
  AutocastGuard autocast(run.bf16(), run.device);
  at::Tensor total;
  for (std::size_t i = 0; i < run.losses.size(); ++i) {
    Loss& loss = *run.losses[i].loss;
    if (counts[i] == 0) continue;  // nothing to learn from in the whole step: sum 0, count 0
    const at::Tensor sum = loss.sum({.batch = batch,
                                     .student_logits = student.logits,
                                     .teacher_logits = teacher.logits,
                                     .student_head = student.head,
                                     .student_embedding = student.embedding,
                                     .student = student.taps,
                                     .teacher = teacher.taps,
                                     .keep = keep[i]});
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
    const ModelOutput teacher = teacher_forward(run, batch);
    const ModelOutput student = student_forward(run, batch, step, plan.node_keep[m]);
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
