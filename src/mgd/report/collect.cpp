#include "mgd/report/collect.h"

#include <ATen/ops/softmax.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/report/judgement.h"
#include "mgd/report/number.h"

namespace mgd {

namespace {

constexpr std::size_t kMistakes = 12;
constexpr std::size_t kIllustrations = 4;

Interval interval_of(const ClassifyMetrics& m) {
  return share_interval(std::llround(m.accuracy * static_cast<double>(m.samples)), m.samples);
}

ReportModel model_row(const char* role, const ModelSummary& summary, const ModelMeasures& measures) {
  return {.role = role,
          .architecture = summary.architecture,
          .parameters = summary.parameters,
          .macs = summary.macs,
          .bytes = static_cast<std::int64_t>(measures.bytes),
          .latency_ms = measures.latency_ms,
          .accuracy = measures.classes.samples > 0 ? measures.classes.accuracy : -1,
          .interval = measures.classes.samples > 0 ? interval_of(measures.classes) : Interval{-1, -1},
          .seeds = 1};
}

// The answers that the baseline's run left; a run of an earlier version left none.
BaselineAnswers baseline_answers(const std::string& folder) {
  if (folder.empty()) return {};
  const fs::path file = fs::path(folder) / "answers.jsonl";
  if (!fs::exists(file)) return {.name = folder, .answers = {}};
  return {.name = folder, .answers = parse_answers(read_file(file), file.string())};
}

std::string latency_note(const Circumstances& c) {
  std::string text = fmt::format("Latency: one sample at a time, median, {} thread{} of {} cores", c.threads,
                                 c.threads == 1 ? "" : "s", c.cores);
  if (c.other_load < 0) return text + ".";
  return text + fmt::format("; other programs kept {:.1f} cores busy meanwhile{}.", c.other_load,
                            c.other_load >= 0.2 ? ", so it is slower than on a quiet machine" : "");
}

// The student alone, from the summary.json of an earlier run: what does not depend on the day it was
// measured.
std::optional<ReportModel> baseline_row(const std::string& folder) {
  if (folder.empty()) return std::nullopt;
  const auto s = nlohmann::json::parse(read_file(fs::path(folder) / "summary.json"), nullptr,
                                       /*allow_exceptions=*/false);
  if (s.is_discarded() || !s.contains("student") || !s.contains("metrics"))
    fail(ExitCode::bad_data, "run.baseline: {}: its summary.json is not that of a run", folder);
  const auto& student = s["student"];
  return ReportModel{.role = "student alone",
                     .architecture = student.value("architecture", ""),
                     .parameters = student.value("parameters", std::int64_t{0}),
                     .macs = student.value("macs", std::int64_t{0}),
                     .bytes = student.value("bytes", std::int64_t{0}),
                     .accuracy = s["metrics"].value("accuracy", -1.0),
                     .seeds = 1};
}

// The most confident wrong answers, worst first.
std::vector<ReportMistake> worst_mistakes(const FinalMeasures& m) {
  const ImageSource& source = *m.source;
  const at::Tensor probs = m.student.logits.to(at::kFloat).softmax(1).contiguous();  // (N, K)
  const at::Tensor teacher =
      m.teacher().logits.defined() ? m.teacher().logits.to(at::kFloat).softmax(1).contiguous() : at::Tensor();
  const auto top = [&](const at::Tensor& all, std::int64_t i) {
    const auto row = all[i];
    const auto k = row.argmax().item<std::int64_t>();
    return std::pair{k, row[k].item<double>()};
  };
  const at::Tensor answers = probs.argmax(1).contiguous();
  const auto* answer = answers.const_data_ptr<std::int64_t>();
  std::vector<std::pair<double, std::int64_t>> wrong;
  for (std::int64_t i = 0; i < source.size(); ++i)
    if (answer[i] != source.label(i)) wrong.emplace_back(top(probs, i).second, i);
  std::sort(wrong.rbegin(), wrong.rend());
  std::vector<ReportMistake> mistakes;
  const auto& names = source.class_names();
  for (std::size_t w = 0; w < std::min(wrong.size(), kMistakes); ++w) {
    const std::int64_t i = wrong[w].second;
    ReportMistake mistake{.image = source.image(i),
                          .name = source.name(i),
                          .label = names.at(static_cast<std::size_t>(source.label(i))),
                          .student_answer = names.at(static_cast<std::size_t>(answer[i])),
                          .student_score = wrong[w].first};
    if (teacher.defined()) {
      const auto [k, score] = top(teacher, i);
      mistake.teacher_answer = names.at(static_cast<std::size_t>(k));
      mistake.teacher_score = score;
    }
    mistakes.push_back(std::move(mistake));
  }
  return mistakes;
}

// One sample of each of the first classes, by index order: a fixed choice, not a flattering one.
std::vector<std::int64_t> spread_over_classes(const ImageSource& source, std::size_t count) {
  std::vector<std::int64_t> chosen;
  for (std::int64_t i = 0; i < source.size() && chosen.size() < count; ++i)
    if (source.label(i) == static_cast<std::int64_t>(chosen.size())) chosen.push_back(i);
  return chosen;
}

std::string read_if_there(const fs::path& path) {
  return fs::exists(path) ? read_file(path) : "";
}

// "4.8 times fewer", "1.5 times more", "as many".
std::string compared(std::int64_t student, std::int64_t teacher) {
  if (student == teacher) return "as many";
  const double factor = static_cast<double>(std::max(student, teacher)) /
                        static_cast<double>(std::max<std::int64_t>(1, std::min(student, teacher)));
  return fmt::format("{} times {}", times_text(factor), student < teacher ? "fewer" : "more");
}

}  // namespace

ReportData collect_report(Run& run, const fs::path& folder, const TrainResult& result,
                          const FinalMeasures& m) {
  ReportData data;
  const std::string student = run.student->architecture();
  data.title = run.teacher() != nullptr
                   ? fmt::format("{} distilled from {}", student, run.teacher()->facts.summary.architecture)
                   : student;
  data.subtitle = fmt::format("{}: {} steps, {} samples in {:.0f} s, seed {}",
                              run.host.pictures.train ? "pictures of the program" : run.config.data.path,
                              result.steps, result.samples, result.seconds, run.config.run.seed);
  if (m.source) {
    judge_student(m, baseline_answers(run.config.run.baseline), data);
    if (run.teacher() != nullptr && !run.teacher()->facts.stored)
      data.findings.push_back(
          fmt::format("The student has {} parameters and {} multiply-accumulates.",
                      compared(run.student_summary.parameters, run.teacher()->facts.summary.parameters),
                      compared(run.student_summary.macs, run.teacher()->facts.summary.macs)));
    data.findings.push_back(
        "This is one run with one seed: whether distillation helps here takes the same budget without it, "
        "several seeds each (mgd compare puts them side by side).");
  }
  if (run.task->pictures("train") == nullptr) collect_figures(run, m, data);
  if (!result.no_gradient.empty()) data.findings.push_back(result.no_gradient + ".");
  for (const TermShare& term : result.shares.terms)
    if (!term.told.empty()) data.findings.push_back(term.told + ".");
  const RunTeacher* teacher = run.teacher();
  if (teacher != nullptr && !teacher->live->loaded())
    data.findings.push_back(
        "The teacher was not loaded, because the cache of its outputs was complete: its figures are those of "
        "an "
        "earlier run, and neither its answers to the mistakes nor its maps are shown.");
  if (teacher != nullptr)
    data.models.push_back(model_row("teacher", run.teacher()->facts.summary, m.teacher()));
  if (auto alone = baseline_row(run.config.run.baseline)) data.models.push_back(std::move(*alone));
  data.models.push_back(model_row("this student", run.student_summary, m.student));
  data.latency_note = latency_note(m.circumstances);
  data.curves = read_curves(read_if_there(folder / "metrics.jsonl"));
  if (m.source) {
    data.class_names = m.source->class_names();
    data.confusion = m.student.classes.confusion;
    data.mistakes = worst_mistakes(m);
    data.illustrations = illustrate(run, m, spread_over_classes(*m.source, kIllustrations));
  }
  data.config_yaml = read_if_there(folder / "config.yaml");
  data.environment_json = read_if_there(folder / "env.json");
  data.data_report_json = read_if_there(folder / "data_report.json");
  return data;
}

}  // namespace mgd
