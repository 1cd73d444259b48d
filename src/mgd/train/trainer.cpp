#include "mgd/train/trainer.h"

#include <ATen/core/grad_mode.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/core/memory.h"
#include "mgd/train/buffer_snapshot.h"
#include "mgd/train/checkpoint.h"
#include "mgd/train/ema.h"
#include "mgd/train/finite.h"
#include "mgd/train/identity.h"
#include "mgd/train/metrics_log.h"
#include "mgd/train/optimizer.h"
#include "mgd/train/schedule.h"
#include "mgd/train/step.h"
#include "mgd/train/survey.h"

namespace mgd {

namespace {

OptimizerOptions optimizer_options(const Run& run) {
  const TrainConfig& c = run.config.train;
  OptimizerOptions options{.name = c.optimizer,
                           .momentum = c.momentum,
                           .nesterov = c.nesterov,
                           .beta1 = c.beta1,
                           .beta2 = c.beta2,
                           .eps = c.eps,
                           .weight_decay = c.weight_decay,
                           .decay_norm_bias = c.decay_norm_bias};
  for (const auto& [name, factor] : run.parts.lr_scale) options.lr_scale["student/" + name] = factor;
  return options;
}

ScheduleOptions schedule_options(const Run& run) {
  const TrainConfig& c = run.config.train;
  return {.name = c.schedule,
          .lr = c.lr,
          .total_steps = run.total_steps,
          .warmup_steps = std::llround(c.warmup_epochs * static_cast<double>(run.steps_per_epoch)),
          .milestones_frac = c.milestones,
          .gamma = c.gamma,
          .final_lr_frac = c.final_lr_frac};
}

class Trainer {
 public:
  Trainer(Run& run, const RunFolder& folder, const TrainOptions& options, const TrainEvents& events);
  TrainResult train();

 private:
  void warn(const std::string& text) const {
    if (!events_.warn) return note(text);
    if (run_.group->leads()) events_.warn(text);
  }
  void note(const std::string& text) const {
    if (events_.note && run_.group->leads()) events_.note(text);
  }
  void resume(bool strict);
  void restore_weights(const Checkpoint& checkpoint);
  void train_step();
  void handle_bad_step(const std::string& reason, const StepResult& result);
  void roll_back();
  [[noreturn]] void diverged(const std::string& how);
  void require_result();
  void end_of_epoch();
  void tend_teacher_caches(std::int64_t epoch);
  void evaluate(std::int64_t epoch);
  void save();
  void log_step(const StepResult& result, double lr, double grad_norm);
  void log(std::int64_t epoch, const MetricRow& row) {
    if (log_) log_->write(state_.step, epoch, row);
  }
  void report_progress(const StepResult& result);
  void put_export_weights_into_student();
  TensorMap trained_state() const;
  std::string not_finite() const;
  bool is_last_step() const { return state_.step >= run_.total_steps; }
  double elapsed() const { return now_seconds() - started_; }

  Run& run_;
  const RunFolder& folder_;
  const TrainEvents& events_;
  Optimizer optimizer_;
  ScheduleOptions schedule_;
  BufferSnapshot buffers_;
  std::unique_ptr<Ema> ema_;
  Checkpoint state_;  // counters live here; its tensors are filled when it is saved
  std::unique_ptr<MetricsLog> log_;
  TrainRequests nobody_;
  TrainRequests& requests_;
  TrainResult result_;
  double started_ = now_seconds();
  double seconds_before_ = 0;
  std::int64_t samples_here_ = 0, first_step_ = 0, saved_step_ = -1, logged_step_ = 0;
  std::uint64_t logged_faults_ = page_faults();
};

Trainer::Trainer(Run& run, const RunFolder& folder, const TrainOptions& options, const TrainEvents& events)
    : run_(run),
      folder_(folder),
      events_(events),
      optimizer_(run.trainable(), optimizer_options(run)),
      schedule_(schedule_options(run)),
      buffers_(run.buffers()),
      requests_(options.requests != nullptr ? *options.requests : nobody_) {
  if (run.config.train.ema_decay > 0) ema_ = std::make_unique<Ema>(*run.student, run.config.train.ema_decay);
  state_.identity = run_identity(run);
  resume(options.strict);
  run.group->wait_for_all();  // before somebody writes what another would take for an earlier run
  for (const auto& teacher : run.teachers)
    if (teacher->cache) teacher->cache->create();  // a full disk is found before the first step
  if (run.group->leads()) log_ = std::make_unique<MetricsLog>(folder.path(), state_.metrics_bytes);
  if (result_.resumed_from.empty())
    for (const std::string& line : survey_teachers(run)) note(line);
  run.loader->seek(state_.step / run.steps_per_epoch, state_.step % run.steps_per_epoch);
  if (result_.resumed_from.empty()) save();
  if (events_.started) events_.started(state_.step);
}

TensorMap Trainer::trained_state() const {
  TensorMap all;
  for (const auto& entry : run_.parameters()) all[entry.name] = entry.tensor.detach();
  for (const auto& entry : run_.buffers()) all[entry.name] = entry.tensor;
  return all;
}

// The first weight, statistic, block of a loss or average that is no number; "" when all are.
std::string Trainer::not_finite() const {
  const std::string trained = first_not_finite(trained_state());
  if (!trained.empty() || !ema_) return trained;
  const std::string averaged = first_not_finite(ema_->state());
  return averaged.empty() ? "" : "ema/" + averaged;
}

void Trainer::resume(bool strict) {
  auto found = load_newest_checkpoint(folder_.checkpoints(), strict);
  if (!found) return;
  for (const auto& skipped : found->skipped) note("skipped a damaged checkpoint: " + skipped);
  require_same_identity(found->checkpoint.identity, state_.identity, found->path.string());
  restore_weights(found->checkpoint);
  state_ = std::move(found->checkpoint);
  result_.resumed_from = found->path.string();
  seconds_before_ = state_.seconds;
  first_step_ = saved_step_ = logged_step_ = state_.step;
  note(fmt::format("resumed from {} (step {} of {})", found->path.string(), state_.step, run_.total_steps));
  for (const ActiveLoss& active : run_.losses)
    if (active.loss->remembers())
      note(fmt::format("losses.{}: {}", active.loss->label(), active.loss->memory()));
}

void Trainer::restore_weights(const Checkpoint& checkpoint) {
  at::NoGradGuard no_grad;
  for (auto& [name, tensor] : trained_state()) {
    const auto it = checkpoint.trained.find(name);
    if (it == checkpoint.trained.end() || it->second.sizes() != tensor.sizes())
      fail(ExitCode::bad_data, "checkpoint: '{}' is missing or has another shape", name);
    tensor.copy_(it->second);
  }
  optimizer_.load_state(checkpoint.optimizer);
  if (ema_) ema_->load_state(checkpoint.ema);
}

TrainResult Trainer::train() {
  const std::int64_t checkpoint_every = run_.config.train.checkpoint_every;
  bool stopped_early = false;
  while (state_.step < run_.total_steps && !stopped_early && !run_.group->any(requests_.wants_stop())) {
    train_step();
    if (state_.step % run_.steps_per_epoch == 0 || state_.step == run_.total_steps) {
      end_of_epoch();
      const std::int64_t patience = run_.config.train.early_stop;
      stopped_early = patience > 0 && state_.evaluations_without_better >= patience;
    }
    if (run_.group->any(requests_.take_save()) ||
        (checkpoint_every > 0 && state_.step % checkpoint_every == 0))
      save();
  }
  if (saved_step_ != state_.step) save();
  if (state_.step < run_.total_steps && !stopped_early)
    result_.reason = requests_.wants_stop() ? requests_.stop_reason() : StopReason::interrupted;
  else if (stopped_early)
    result_.reason = StopReason::early_stop;
  put_export_weights_into_student();
  if (result_.reason == StopReason::finished || stopped_early) require_result();
  result_.steps = state_.step;
  result_.samples = state_.samples;
  result_.seconds = seconds_before_ + elapsed();
  result_.throughput = static_cast<double>(samples_here_) / std::max(elapsed(), 1e-9);
  result_.best_epoch = state_.best_epoch;
  result_.best_value = state_.best_value;
  result_.wait_frac = run_.loader->wait_seconds() / std::max(elapsed(), 1e-9);
  result_.skipped_steps = static_cast<std::int64_t>(state_.skipped_steps.size());
  result_.shares = state_.shares;
  result_.no_gradient = state_.no_gradient.told;
  return result_;
}

void Trainer::train_step() {
  const StepBatches batches = run_.loader->next();
  const double lr = learning_rate(schedule_, state_.step);
  buffers_.take();
  optimizer_.zero_grad();
  const StepResult result = forward_backward(run_, batches, state_.step, measures_terms(run_, state_.step));
  run_.group->take_first(buffers_.live());
  const double grad_norm = optimizer_.clip_grad_norm(run_.config.train.clip_norm);
  const std::string problem = state_.guard.judge(result.loss, grad_norm);
  if (problem.empty()) {
    optimizer_.step(lr);
    if (ema_) ema_->update(state_.step);
    for (const ActiveLoss& active : run_.losses) active.loss->end_step();
    for (const auto& line : state_.shares.add(state_.step + 1, result.gradients)) warn(line);
    for (const auto& line : state_.no_gradient.add(run_, state_.step + 1 == run_.total_steps)) warn(line);
  } else {
    handle_bad_step(problem, result);
  }
  ++state_.step;
  state_.samples += result.samples;
  samples_here_ += result.samples;
  if (state_.step % run_.config.train.log_every == 0 || state_.step == run_.total_steps)
    log_step(result, lr, grad_norm);
  else if (const MetricRow shares = state_.shares.row(state_.step); !shares.empty())
    log((state_.step - 1) / run_.steps_per_epoch + 1, shares);
  report_progress(result);
}

void Trainer::handle_bad_step(const std::string& reason, const StepResult& result) {
  buffers_.restore();
  state_.skipped_steps.push_back(
      fmt::format("step {}: {}; samples {}", state_.step, reason, fmt::join(result.sample_ids, " ")));
  note(fmt::format("step {}: {}: update skipped", state_.step, reason));
  if (state_.guard.consecutive_bad >= DivergenceGuard::kBadBeforeRollback) roll_back();
}

// Weights go back, the stream of data goes on: everything random is a function of the step, so repeating the
// steps would repeat what went wrong.
void Trainer::roll_back() {
  if (state_.guard.rollbacks >= DivergenceGuard::kMaxRollbacks)
    diverged(fmt::format("{} updates skipped after {} roll-backs", state_.skipped_steps.size(),
                         state_.guard.rollbacks));
  const auto found = load_newest_checkpoint(folder_.checkpoints());
  MGD_ASSERT(found.has_value());
  restore_weights(found->checkpoint);
  state_.guard.consecutive_bad = 0;
  ++state_.guard.rollbacks;
  state_.guard.updates_since_roll_back = 0;
  note(fmt::format("rolled back to {}", found->path.string()));
}

void Trainer::diverged(const std::string& how) {
  const fs::path file = folder_.path() / "diverged.txt";
  if (run_.group->leads())
    write_file_atomic(file, fmt::format("{}\n{}\n", how, fmt::join(state_.skipped_steps, "\n")));
  fail(ExitCode::diverged,
       "training diverged at step {}: {}; lower train.lr (now {}) or set train.clip_norm; the steps and "
       "their samples are in {}",
       state_.step, how, run_.config.train.lr, file.string());
}

// However short a run was, it has a result only if it learned something that can be computed with.
void Trainer::require_result() {
  if (state_.guard.updates_since_roll_back == 0) diverged("no update was possible since the last roll-back");
  if (const std::string bad = first_not_finite(state_of(*run_.student)); !bad.empty())
    diverged(fmt::format("'{}' of the student is not finite, nothing is published", bad));
}

void Trainer::end_of_epoch() {
  const std::int64_t epoch = (state_.step + run_.steps_per_epoch - 1) / run_.steps_per_epoch;  // 1-based
  const bool last = state_.step == run_.total_steps;
  tend_teacher_caches(epoch);
  if (run_.task->has_split("validation") && (last || epoch % run_.config.train.eval_every == 0))
    evaluate(epoch);
  if (last || run_.config.train.checkpoint_every == 0) save();
}

void Trainer::tend_teacher_caches(std::int64_t epoch) {
  for (const auto& teacher : run_.teachers) {
    if (!teacher->cache) continue;
    const TeacherCache& cache = *teacher->cache;
    if (const std::int64_t faults = cache.damaged() + cache.stale(); faults > teacher->cache_faults_told) {
      note(fmt::format(
          "teacher cache {}: {} records damaged, {} of other samples; the teacher computed them again",
          cache.path().string(), cache.damaged(), cache.stale()));
      teacher->cache_faults_told = faults;
    }
    if (epoch < run_.task->num_views() || cache.complete() || !run_.group->leads()) continue;
    const auto samples = run_.task->ordered_stream(1);
    const std::int64_t added = teacher->cached->complete(*samples, run_.task->num_views(), teacher->slice);
    note(fmt::format("teacher cache {}: complete, {} samples added that no batch had", cache.path().string(),
                     added));
  }
}

void Trainer::evaluate(std::int64_t epoch) {
  if (ema_) ema_->swap();
  const Figures figures = run_.short_cut ? run_.short_cut->measure("validation")
                                         : run_.task->measure(*run_.student, "validation");
  const Headline headline = run_.task->headline();
  const double value = figure(figures, headline.name);
  MetricRow row;
  for (const auto& [name, number] : figures) row.emplace_back("eval/" + name, number);
  log(epoch, row);
  const bool better = state_.best_epoch < 0 || std::isnan(state_.best_value) ||
                      (headline.higher_is_better ? value > state_.best_value : value < state_.best_value);
  if (std::isfinite(value) && better) {
    state_.best_value = value;
    state_.best_epoch = epoch;
    state_.evaluations_without_better = 0;
    state_.best = state_of(*run_.student);
    for (auto& [name, tensor] : state_.best) tensor = tensor.clone();
  } else {
    ++state_.evaluations_without_better;
  }
  if (ema_) ema_->swap();
  note(fmt::format("epoch {}: validation {} ({})", epoch, figures_text(figures),
                   state_.best_epoch < 0
                       ? "no epoch is the best so far"
                       : fmt::format("best {} in epoch {}",
                                     figures_text({{headline.name, state_.best_value}}), state_.best_epoch)));
}

// Weights that are not finite are nothing to go on from: the checkpoint before them stays the newest.
void Trainer::save() {
  if (const std::string bad = not_finite(); !bad.empty()) {
    const std::string what = fmt::format("'{}' is not finite", bad);
    const bool nothing_before = saved_step_ < 0;
    if (is_last_step() || nothing_before) diverged(what + ", nothing is published");
    state_.skipped_steps.push_back(fmt::format("step {}: {}", state_.step, what));
    note(fmt::format("step {}: {}: no checkpoint", state_.step, what));
    return roll_back();
  }
  if (log_) {
    log_->sync();
    state_.metrics_bytes = log_->bytes();
  }
  state_.seconds = seconds_before_ + elapsed();
  Checkpoint full = state_;
  full.trained = trained_state();
  full.optimizer = optimizer_.state();
  if (ema_) full.ema = ema_->state();
  if (run_.group->leads()) save_checkpoint(folder_.checkpoints(), full);
  const bool first = saved_step_ <= 0 && state_.step > 0;
  saved_step_ = state_.step;
  if (first && events_.progressed) events_.progressed();
}

void Trainer::log_step(const StepResult& result, double lr, double grad_norm) {
  MetricRow row{{"loss", result.loss}};
  for (const auto& [label, value] : result.parts) row.emplace_back("loss/" + label, value);
  std::ranges::copy(state_.shares.row(state_.step), std::back_inserter(row));
  if (result.labelled > 0)
    row.emplace_back("train/accuracy",
                     static_cast<double>(result.correct) / static_cast<double>(result.labelled));
  row.emplace_back("lr", lr);
  row.emplace_back("grad_norm", grad_norm);
  row.emplace_back("throughput", static_cast<double>(samples_here_) / std::max(elapsed(), 1e-9));
  const std::uint64_t faults = page_faults();
  row.emplace_back("memory_mb", static_cast<double>(resident_bytes()) / 1e6);
  row.emplace_back("page_faults",
                   static_cast<double>(faults - logged_faults_) /
                       static_cast<double>(std::max<std::int64_t>(state_.step - logged_step_, 1)));
  logged_faults_ = faults;
  logged_step_ = state_.step;
  log((state_.step - 1) / run_.steps_per_epoch + 1, row);
}

void Trainer::report_progress(const StepResult& result) {
  if (!events_.progress) return;
  const std::int64_t done = state_.step - first_step_;
  events_.progress({.step = state_.step,
                    .total_steps = run_.total_steps,
                    .epoch = (state_.step - 1) / run_.steps_per_epoch + 1,
                    .epochs = run_.config.train.epochs,
                    .loss = result.loss,
                    .parts = result.parts,
                    .throughput = static_cast<double>(samples_here_) / std::max(elapsed(), 1e-9),
                    .eta_seconds = elapsed() / static_cast<double>(done) *
                                   static_cast<double>(run_.total_steps - state_.step),
                    .wait_frac = run_.loader->wait_seconds() / std::max(elapsed(), 1e-9)});
}

void Trainer::put_export_weights_into_student() {
  if (run_.config.train.export_weights == "best" && !state_.best.empty())
    load_state(*run_.student, state_.best, "best weights");
  else if (ema_)
    load_state(*run_.student, ema_->state(), "averaged weights");
}

}  // namespace

TrainResult train(Run& run, const RunFolder& folder, const TrainOptions& options, const TrainEvents& events) {
  return Trainer(run, folder, options, events).train();
}

}  // namespace mgd
