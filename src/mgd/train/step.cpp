#include "mgd/train/step.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/zeros_like.h>

#include <algorithm>
#include <cmath>

#include "mgd/nn/autocast.h"
#include "mgd/ops/head_loss.h"
#include "mgd/train/term_shares.h"

namespace mgd {

namespace {

double progress_frac(const Run& run, std::int64_t step) {
  return run.total_steps > 1 ? static_cast<double>(step) / static_cast<double>(run.total_steps - 1) : 0.0;
}

double weight_in(const Loss& loss, std::int64_t epoch) {  // 0-based
  const double warmup = loss.warmup_epochs(), now = static_cast<double>(epoch + 1);
  return now < warmup ? loss.weight() * (now / warmup) : loss.weight();
}

at::Tensor joined_keep(const StepPlan& plan, std::size_t i) {
  std::vector<at::Tensor> parts;
  for (const auto& of_micro : plan.loss_keep) parts.push_back(of_micro[i]);
  return parts.size() == 1 || !parts.front().defined() ? parts.front() : at::cat(parts);
}

// No loss reads what models do.
Batch without_inputs(Batch batch) {
  batch.input.reset();
  batch.teacher_input.reset();
  return batch;
}

// Of the losses that see a step at once.
void count_whole_step(const Run& run, const StepBatches& batches, StepPlan& plan) {
  if (std::none_of(run.losses.begin(), run.losses.end(),
                   [](const ActiveLoss& active) { return active.loss->scope() == Scope::step; }))
    return;
  std::vector<Batch> parts;
  for (const Batch& batch : batches.micro) parts.push_back(without_inputs(batch));
  const Batch whole = join_batches(parts);
  const Places labelled = labelled_places(whole);
  for (std::size_t i = 0; i < run.losses.size(); ++i)
    if (const Loss& loss = *run.losses[i].loss; loss.scope() == Scope::step)
      plan.counts[i] = count_of(loss, whole, labelled, joined_keep(plan, i));
}

StepOutput joined(const std::vector<StepOutput>& outputs) {
  std::vector<Batch> batches;
  std::vector<const Record*> student;
  for (const StepOutput& output : outputs) {
    batches.push_back(without_inputs(output.batch));
    student.push_back(&output.student);
  }
  StepOutput all{.batch = join_batches(batches), .student = join_records(student), .teachers = {}};
  for (std::size_t i = 0; i < outputs.front().teachers.size(); ++i) {
    std::vector<const Record*> teacher;
    for (const StepOutput& output : outputs) teacher.push_back(&output.teachers[i]);
    all.teachers.push_back(join_records(teacher));
  }
  return all;
}

// Whether this micro-batch has something for the loss: its share of the gradient is measured only then.
bool counts_here(const Loss& loss, const Batch& batch, const Places& labelled, const at::Tensor& keep) {
  return loss.scope() == Scope::step || count_of(loss, batch, labelled, keep) > 0;
}

// A parameter that only other ranks' samples reached has a gradient here, too.
void sum_gradients(Group& group, const std::vector<NamedTensor>& parameters) {
  std::vector<double> reached;
  for (const auto& entry : parameters) reached.push_back(entry.tensor.grad().defined() ? 1 : 0);
  group.sum(reached);
  std::vector<at::Tensor> gradients;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (reached[i] == 0) continue;
    at::Tensor parameter = parameters[i].tensor;
    if (!parameter.grad().defined()) parameter.mutable_grad() = at::zeros_like(parameter);
    gradients.push_back(parameter.grad());
  }
  group.sum(gradients);
}

// `result` is of this rank's samples, and becomes that of the step. All ranks have the same losses in it.
void sum_result(Group& group, StepResult& result) {
  std::vector<double> all{result.loss, static_cast<double>(result.samples),
                          static_cast<double>(result.labelled), static_cast<double>(result.correct)};
  for (const auto& [label, value] : result.parts) all.push_back(value);
  group.sum(all);
  result.loss = all[0];
  result.samples = std::llround(all[1]);
  result.labelled = std::llround(all[2]);
  result.correct = std::llround(all[3]);
  std::size_t i = 4;
  for (auto& [label, value] : result.parts) value = all[i++];
}

// Before the backward pass, which frees the graphs.
void measure_terms_of(const Run& run, StepResult& result) {
  if (!result.keeps_terms) return;
  result.gradients = term_gradients(result.terms, run.student->parameters());
  result.terms.clear();
  result.keeps_terms = false;
}

// Adds the weighted part of loss i to `total`.
void add_loss(Run& run, const StepPlan& plan, std::size_t i, const StepOutput& output, const at::Tensor& keep,
              const Places& labelled, at::Tensor& total, StepResult& result) {
  Loss& loss = *run.losses[i].loss;
  LossInput input{.batch = output.batch,
                  .student = output.student,
                  .teacher = heard_by(run.losses[i], output.teachers),
                  .keep = {}};
  if (loss.remembers()) loss.see(input);
  if (plan.counts[i] == 0) return;  // nothing to learn from in the whole step: sum 0, count 0
  input.keep = mask_of(run, i, plan, input, keep);
  const SeenInput seen(loss, input, labelled);
  double& part_value = result.parts[loss.label()];
  if (seen.empty()) return;
  const at::Tensor sum = loss.sum(seen.get());
  part_value += sum.item<double>() / plan.counts[i];
  if (result.keeps_terms && loss.weight() != 0 && counts_here(loss, output.batch, labelled, input.keep))
    result.terms.push_back(
        {.label = loss.label(), .weight = loss.weight(), .count = plan.counts[i], .sum = sum});
  const at::Tensor part = sum * (plan.weights[i] / plan.counts[i]);
  total = total.defined() ? total + part : part;
}

}  // namespace

StepPlan plan_step(const Run& run, const StepBatches& batches, std::int64_t step) {
  const double progress = progress_frac(run, step);
  StepPlan plan{.step = step,
                .loss_keep = {},
                .node_keep = {},
                .labelled = {},
                .counts = std::vector<double>(run.losses.size(), 0.0),
                .weights = {},
                .progress_frac = progress};
  for (const ActiveLoss& active : run.losses) plan.weights.push_back(weight_in(*active.loss, batches.epoch));
  const auto step32 = static_cast<std::uint32_t>(step);
  for (const Batch& batch : batches.micro) {
    std::vector<at::Tensor> loss_keep, node_keep;
    const Places labelled = labelled_places(batch);
    for (std::size_t i = 0; i < run.losses.size(); ++i) {
      const ActiveLoss& active = run.losses[i];
      at::Tensor keep;
      if (active.mask)
        keep = active.mask->draw(active.loss->mask_request()->node, batch, step32, progress).to(run.device);
      if (active.loss->scope() == Scope::sample)
        plan.counts[i] += count_of(*active.loss, batch, labelled, keep);
      loss_keep.push_back(keep);
    }
    for (const auto& mask : run.node_masks) node_keep.push_back(mask->draw(batch, step32, progress));
    plan.loss_keep.push_back(std::move(loss_keep));
    plan.node_keep.push_back(std::move(node_keep));
    plan.labelled.push_back(labelled);
  }
  count_whole_step(run, batches, plan);
  run.group->sum(plan.counts);
  return plan;
}

std::vector<Record> teacher_answers(Run& run, const Batch& batch) {
  std::vector<Record> answers;
  for (const auto& teacher : run.teachers) answers.push_back(teacher->front->answer(batch));
  if (answers.empty()) return {Record{}};
  if (std::none_of(run.losses.begin(), run.losses.end(),
                   [](const ActiveLoss& active) { return active.teacher == kAllTeachers; }))
    return answers;
  double weights = 0;
  for (const auto& teacher : run.teachers) weights += teacher->weight;
  Record average;
  for (std::size_t i = 0; i < run.teachers.size(); ++i) {
    const at::Tensor part = answers[i].logits * (run.teachers[i]->weight / weights);
    average.logits = average.logits.defined() ? average.logits + part : part;
  }
  answers.push_back(std::move(average));
  return answers;
}

const Record& heard_by(const ActiveLoss& active, const std::vector<Record>& answers) {
  return active.teacher == kAllTeachers ? answers.back() : answers.at(active.teacher);
}

Record student_forward(Run& run, const Batch& batch, std::int64_t step,
                       const std::vector<at::Tensor>& node_keep) {
  if (run.short_cut) return run.short_cut->forward(batch, step);
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

at::Tensor mask_of(const Run& run, std::size_t i, const StepPlan& plan, const LossInput& input,
                   const at::Tensor& planned) {
  const ActiveLoss& active = run.losses[i];
  if (!active.mask || !chooses_by_scores(active.mask->options().mask)) return planned;
  const at::Tensor scores = active.loss->mask_scores(input);
  return active.mask
      ->draw(active.loss->mask_request()->node, input.batch, static_cast<std::uint32_t>(plan.step),
             plan.progress_frac, scores)
      .to(run.device);
}

bool joins_micro_batches(const Run& run, std::size_t num_micro) {
  return num_micro > 1 && std::any_of(run.losses.begin(), run.losses.end(), [](const ActiveLoss& active) {
           return active.loss->scope() == Scope::step;
         });
}

at::Tensor distill_loss(Run& run, const StepPlan& plan, std::size_t m, const StepOutput& output,
                        StepResult& result) {
  AutocastGuard autocast(run.bf16(), run.device);
  const bool whole_step = plan.loss_keep.size() == 1;
  at::Tensor total;
  for (std::size_t i = 0; i < run.losses.size(); ++i)
    if (whole_step || run.losses[i].loss->scope() == Scope::sample)
      add_loss(run, plan, i, output, plan.loss_keep[m][i], plan.labelled[m], total, result);
  return total;
}

at::Tensor joined_loss(Run& run, const StepPlan& plan, const std::vector<StepOutput>& outputs,
                       StepResult& result) {
  AutocastGuard autocast(run.bf16(), run.device);
  const StepOutput all = joined(outputs);
  const Places labelled = labelled_places(all.batch);
  at::Tensor total;
  for (std::size_t i = 0; i < run.losses.size(); ++i)
    if (run.losses[i].loss->scope() == Scope::step)
      add_loss(run, plan, i, all, joined_keep(plan, i), labelled, total, result);
  return total;
}

bool measures_terms(const Run& run, std::int64_t step) {
  const auto weighing = std::count_if(run.losses.begin(), run.losses.end(),
                                      [](const ActiveLoss& active) { return active.loss->weight() != 0; });
  return run.config.train.gradient_shares && TermShares::due(step + 1, static_cast<std::size_t>(weighing));
}

namespace {

// Whether several losses read what the student's head says.
bool share_scores(const Run& run) {
  return std::count_if(run.losses.begin(), run.losses.end(), [](const ActiveLoss& active) {
           return active.loss->reads_targets() || active.loss->reads_teacher_logits();
         }) > 1;
}

StepResult forward_backward_here(Run& run, const StepBatches& batches, std::int64_t step,
                                 bool measure_terms) {
  StepResult result;
  result.keeps_terms = measure_terms;
  for (const ActiveLoss& active : run.losses) active.loss->begin_step();
  const StepPlan plan = plan_step(run, batches, step);
  const bool joins = joins_micro_batches(run, batches.micro.size());
  std::vector<StepOutput> kept;  // of a step whose micro-batches are joined
  at::Tensor total;
  for (std::size_t m = 0; m < batches.micro.size(); ++m) {
    StepOutput output;
    output.batch = batch_to(batches.micro[m], run.device);
    Batch& batch = output.batch;
    batch.view = run.task->num_views() > 0 ? batches.epoch % run.task->num_views() : -1;
    output.teachers = teacher_answers(run, batch);
    output.student = student_forward(run, batch, step, plan.node_keep[m]);
    if (output.student.head.defined() && share_scores(run))
      output.student.head = with_logits(output.student.head);
    const at::Tensor loss = distill_loss(run, plan, m, output, result);
    if (!joins) measure_terms_of(run, result);
    if (!joins && loss.defined() && loss.requires_grad()) loss.backward();
    if (joins && loss.defined()) total = total.defined() ? total + loss : loss;
    if (loss.defined()) result.loss += loss.item<double>();
    if (run.task->labelled()) {
      result.correct += output.student.logits.argmax(1).eq(batch.target).sum().item<std::int64_t>();
      result.labelled += batch.target.ge(0).sum().item<std::int64_t>();
    }
    result.samples += batch.size();
    result.sample_ids.insert(result.sample_ids.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    if (joins) kept.push_back(std::move(output));
  }
  if (!joins) return result;
  const at::Tensor loss = joined_loss(run, plan, kept, result);
  measure_terms_of(run, result);
  if (loss.defined()) {
    result.loss += loss.item<double>();
    total = total.defined() ? total + loss : loss;
  }
  if (total.defined() && total.requires_grad()) total.backward();
  return result;
}

}  // namespace

StepResult forward_backward(Run& run, const StepBatches& batches, std::int64_t step, bool measure_terms) {
  StepResult result = forward_backward_here(run, batches, step, measure_terms);
  sum_gradients(*run.group, run.trainable());
  sum_result(*run.group, result);
  return result;
}

}  // namespace mgd
