#include "mgd/train/finish.h"

#include <nlohmann/json.hpp>

#include "mgd/core/error.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

std::uint64_t bytes_of(const Module& module) {
  std::uint64_t total = 0;
  for (const auto& entry : module.state()) total += entry.tensor.nbytes();
  return total;
}

ModelMeasures measure_model(ImageModel& model, const ImageSource* source, const EvalOptions& options) {
  ModelMeasures m;
  m.bytes = bytes_of(model);
  m.latency = measure_latency(model, options.height, options.width);
  if (source != nullptr) {
    const Answers answers = answer_all(model, *source, options);
    m.logits = answers.logits;
    m.metrics = classify_metrics(answers.logits, answers.labels);
  }
  return m;
}

json metrics_json(const ClassifyMetrics& m) {
  return {{"accuracy", m.accuracy},
          {"top5", m.top5},
          {"loss", m.loss},
          {"calibration_error", m.calibration_error}};
}

}  // namespace

FinalMeasures measure_final(Run& run) {
  FinalMeasures m;
  m.source = run.test_source ? run.test_source.get() : run.validation_source.get();
  m.split = run.test_source ? "test" : "validation";
  m.student = measure_model(*run.student, m.source, run.eval_options());
  if (run.teacher) m.teacher = measure_model(*run.teacher, m.source, run.eval_options());
  return m;
}

void export_student(const Run& run, const fs::path& folder) {
  save_model_folder(folder.string(), run.student_info, state_of(*run.student));
}

std::string summary_json(const Run& run, const TrainResult& result, const FinalMeasures& measures,
                         const std::string& model_dir) {
  json s{{"task", run.config.task}};
  s["student"] = {{"architecture", run.student_info.architecture},
                  {"parameters", run.student_summary.parameters},
                  {"macs", run.student_summary.macs},
                  {"bytes", measures.student.bytes},
                  {"latency_ms", measures.student.latency.median_ms}};
  if (run.teacher)
    s["teacher"] = {{"architecture", run.teacher->spec().architecture},
                    {"parameters", run.teacher_summary.parameters},
                    {"macs", run.teacher_summary.macs},
                    {"bytes", measures.teacher.bytes},
                    {"latency_ms", measures.teacher.latency.median_ms},
                    {"metrics", metrics_json(measures.teacher.metrics)}};
  s["split"] = measures.source ? json(measures.split) : json(nullptr);
  s["eval_samples"] = measures.student.metrics.samples;
  s["metrics"] = metrics_json(measures.student.metrics);
  s["best"] = {{"epoch", result.best_epoch}, {"accuracy", result.best_accuracy}};
  s["steps"] = result.steps;
  s["samples"] = result.samples;
  s["seconds"] = result.seconds;
  s["throughput"] = result.throughput;
  s["data_wait_frac"] = result.wait_frac;
  if (run.teacher_cache)
    s["teacher_cache"] = {{"hits", run.teacher_cache->hits()},
                          {"misses", run.teacher_cache->misses()},
                          {"damaged", run.teacher_cache->damaged()}};
  s["skipped_steps"] = result.skipped_steps;
  s["seed"] = run.config.run.seed;
  s["model_dir"] = model_dir;
  s["resumed_from"] = result.resumed_from.empty() ? json(nullptr) : json(result.resumed_from);
  return s.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

std::string data_report_json(const Run& run) {
  const auto split = [](const ImageSource* source) -> json {
    if (!source) return nullptr;
    std::vector<std::int64_t> counts(source->class_names().size());
    for (std::int64_t i = 0; i < source->size(); ++i)
      if (const auto label = source->label(i); label >= 0) ++counts.at(static_cast<std::size_t>(label));
    json classes = json::object();
    for (std::size_t c = 0; c < counts.size(); ++c) classes[source->class_names()[c]] = counts[c];
    return {{"samples", source->size()},
            {"ignored_files", source->num_ignored()},
            {"classes", classes},
            {"fingerprint", source->fingerprint()}};
  };
  json report{{"path", run.config.data.path},
              {"train", split(run.train_source.get())},
              {"validation", split(run.validation_source.get())},
              {"test", split(run.test_source.get())}};
  report["corrupt"] = run.loader->corrupt();
  return report.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace mgd
