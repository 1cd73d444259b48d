#include "mgd/train/finish.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/core/other_load.h"
#include "mgd/data/subset_images.h"
#include "mgd/train/environment.h"
#include "mgd/train/teacher_note.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

std::uint64_t bytes_of(const Module& module) {
  std::uint64_t total = 0;
  for (const auto& entry : module.state()) total += entry.tensor.nbytes();
  return total;
}

enum class Role { student, teacher };

ModelMeasures measure_model(const Run& run, Model& model, Role role, const FinalMeasures& where) {
  ModelMeasures m;
  m.bytes = bytes_of(model);
  m.latency_ms = role == Role::teacher ? run.task->teacher_latency_ms(model) : run.task->latency_ms(model);
  if (where.source != nullptr) {
    const EvalOptions eval =
        role == Role::teacher ? run.image->teacher_eval_options() : run.image->eval_options();
    const Answers answers = answer_all(dynamic_cast<ImageModel&>(model), *where.source, eval);
    run.image->remember_left_out(answers.corrupt);
    m.logits = answers.logits;
    m.samples = answers.samples;
    m.classes = classify_metrics(answers.logits, answers.labels);
    m.figures = figures_of(m.classes);
  } else if (!where.split.empty()) {
    m.figures = run.task->measure(model, where.split);
  }
  return m;
}

// Measured once: what its cache has noted need not be measured again, nor the teacher be loaded for it.
ModelMeasures measure_teacher(Run& run, const FinalMeasures& where) {
  if (!run.teacher) {
    if (const auto noted = noted_measures(run, where.split)) return *noted;
    load_teacher(run);
  }
  ModelMeasures measured = measure_model(run, *run.teacher, Role::teacher, where);
  note_measures(run, where.split, measured);
  return measured;
}

void require_finite_loss(const Run& run, const FinalMeasures& m) {
  const auto& figures = m.student.figures;
  const auto loss = std::find_if(figures.begin(), figures.end(), [](auto& f) { return f.first == "loss"; });
  if (loss == figures.end() || std::isfinite(loss->second)) return;
  fail(ExitCode::diverged,
       "the student's loss on the {} part is {}: nothing is published; lower train.lr (now {}) or set "
       "train.clip_norm",
       m.split, loss->second, run.config.train.lr);
}

json figures_json(const Figures& figures) {
  json object = json::object();
  for (const auto& [name, value] : figures) object[name] = value;
  return object;
}

json model_json(const ModelSummary& summary, const ModelMeasures& measures) {
  return {{"architecture", summary.architecture},
          {"parameters", summary.parameters},
          {"macs", summary.macs},
          {"bytes", measures.bytes},
          {"latency_ms", measures.latency_ms > 0 ? json(measures.latency_ms) : json(nullptr)}};
}

json gradient_shares_json(const TermShares& shares) {
  json object = json::object();
  for (const TermShare& t : shares.terms)
    object[t.label] = {{"first", t.first}, {"last", t.last}, {"most", t.most}, {"measures", t.measures}};
  return object;
}

}  // namespace

FinalMeasures measure_final(Run& run) {
  FinalMeasures m;
  m.split = run.task->has_split("test") ? "test" : run.task->has_split("validation") ? "validation" : "";
  if (run.image != nullptr && !m.split.empty()) m.source = run.image->source(m.split);
  const OtherLoad load;
  m.student = measure_model(run, *run.student, Role::student, m);
  require_finite_loss(run, m);
  if (m.source != nullptr && static_cast<std::int64_t>(m.student.samples.size()) < m.source->size()) {
    m.readable = subset_images(m.source->shared_from_this(), m.student.samples);
    m.source = m.readable.get();
  }
  // Of a teacher of other classes only size and latency.
  if (run.has_teacher())
    m.teacher = measure_teacher(run, run.no_teacher_logits.empty() ? m : FinalMeasures{});
  m.circumstances = {
      .threads = at::get_num_threads(), .cores = environment().cores, .other_load = load.cores()};
  return m;
}

void export_student(const Run& run, const fs::path& folder) {
  run.task->export_model(*run.student, folder);
}

std::string summary_json(const Run& run, const TrainResult& result, const FinalMeasures& measures,
                         const std::string& model_dir) {
  json s{{"task", run.config.task}};
  s["student"] = model_json(run.student_summary, measures.student);
  if (run.has_teacher()) {
    s["teacher"] = model_json(run.teacher_summary, measures.teacher);
    s["teacher"]["metrics"] = figures_json(measures.teacher.figures);
  }
  s["split"] = measures.split.empty() ? json(nullptr) : json(measures.split);
  if (measures.source != nullptr) s["eval_samples"] = measures.student.classes.samples;
  s["metrics"] = figures_json(measures.student.figures);
  s["measured_with"] = {{"threads", measures.circumstances.threads},
                        {"cores", measures.circumstances.cores},
                        {"other_load", measures.circumstances.other_load}};
  s["best"] = {{"epoch", result.best_epoch}, {run.task->headline().name, result.best_value}};
  s["steps"] = result.steps;
  s["samples"] = result.samples;
  s["seconds"] = result.seconds;
  s["throughput"] = result.throughput;
  s["data_wait_frac"] = result.wait_frac;
  if (run.teacher_cache)
    s["teacher_cache"] = {
        {"hits", run.teacher_cache->hits()},       {"misses", run.teacher_cache->misses()},
        {"damaged", run.teacher_cache->damaged()}, {"stale", run.teacher_cache->stale()},
        {"bytes", run.teacher_cache->bytes()},     {"complete", run.teacher_cache->complete()},
        {"teacher_loaded", run.teacher != nullptr}};
  if (!result.shares.terms.empty()) s["gradient_shares"] = gradient_shares_json(result.shares);
  s["skipped_steps"] = result.skipped_steps;
  s["seed"] = run.config.run.seed;
  s["model_dir"] = model_dir;
  s["resumed_from"] = result.resumed_from.empty() ? json(nullptr) : json(result.resumed_from);
  return s.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
