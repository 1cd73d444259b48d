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

bool speaks_of(const TeacherFacts& teacher, const std::string& split) {
  return teacher.no_logits.empty() && !teacher.silent_on.contains(split);
}

ModelMeasures measure_model(const Run& run, Model& model, Role role, const FinalMeasures& where) {
  ModelMeasures m;
  if (!where.split.empty()) static_cast<ModelAnswers&>(m) = run.task->answers(model, where.split, role);
  m.bytes = bytes_of(model);
  m.latency_ms = run.task->latency_ms(model, role);
  return m;
}

// Measured once: what its cache has noted need not be measured again, nor the teacher be loaded for it.
ModelMeasures measure_teacher(Run& run, RunTeacher& teacher, const FinalMeasures& where) {
  if (!teacher.live->loaded())
    if (const auto noted = noted_measures(run, teacher, where.split)) return *noted;
  ModelMeasures measured = measure_model(run, teacher.live->model(), Role::teacher, where);
  if (teacher.facts.stored) measured.latency_ms = -1;  // that of reading a file
  note_measures(run, teacher, where.split, measured);
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

// Of all teachers together.
json caches_json(const Run& run) {
  std::int64_t hits = 0, misses = 0, damaged = 0, stale = 0;
  std::uint64_t bytes = 0;
  bool complete = true, loaded = false;
  for (const auto& teacher : run.teachers) {
    const TeacherCache& cache = *teacher->cache;
    hits += cache.hits(), misses += cache.misses(), damaged += cache.damaged(), stale += cache.stale();
    bytes += cache.bytes();
    complete = complete && cache.complete();
    loaded = loaded || teacher->live->loaded();
  }
  return {{"hits", hits},   {"misses", misses},     {"damaged", damaged},      {"stale", stale},
          {"bytes", bytes}, {"complete", complete}, {"teacher_loaded", loaded}};
}

}  // namespace

FinalMeasures measure_final(Run& run) {
  FinalMeasures m;
  m.split = run.task->has_split("test") ? "test" : run.task->has_split("validation") ? "validation" : "";
  if (!m.split.empty()) m.source = run.task->pictures(m.split);
  const OtherLoad load;
  m.student = measure_model(run, *run.student, Role::student, m);
  require_finite_loss(run, m);
  if (m.source != nullptr && static_cast<std::int64_t>(m.student.samples.size()) < m.source->size()) {
    m.readable = subset_images(m.source->shared_from_this(), m.student.samples);
    m.source = m.readable.get();
  }
  // Of a teacher that has no answers to compare only size and latency.
  for (const auto& teacher : run.teachers)
    m.teachers.push_back(
        measure_teacher(run, *teacher, speaks_of(teacher->facts, m.split) ? m : FinalMeasures{}));
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
  if (const RunTeacher* teacher = run.teacher()) {
    s["teacher"] = model_json(teacher->facts.summary, measures.teacher());
    s["teacher"]["metrics"] = figures_json(measures.teacher().figures);
  }
  for (std::size_t i = 1; i < run.teachers.size(); ++i) {
    const ModelMeasures& other = measures.teachers.at(i);
    json teacher = model_json(run.teachers[i]->facts.summary, other);
    teacher["name"] = run.teachers[i]->name;
    teacher["metrics"] = figures_json(other.figures);
    s["other_teachers"].push_back(std::move(teacher));
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
  if (run.teacher() != nullptr && run.teacher()->cache) s["teacher_cache"] = caches_json(run);
  if (!result.shares.terms.empty()) s["gradient_shares"] = gradient_shares_json(result.shares);
  s["warnings"] = json::array();
  if (!result.no_gradient.empty()) s["warnings"].push_back(result.no_gradient);
  for (const TermShare& term : result.shares.terms)
    if (!term.told.empty()) s["warnings"].push_back(term.told);
  s["skipped_steps"] = result.skipped_steps;
  s["seed"] = run.config.run.seed;
  s["model_dir"] = model_dir;
  s["resumed_from"] = result.resumed_from.empty() ? json(nullptr) : json(result.resumed_from);
  return s.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
