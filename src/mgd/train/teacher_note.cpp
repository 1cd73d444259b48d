#include "mgd/train/teacher_note.h"

#include <cmath>
#include <limits>
#include <nlohmann/json.hpp>

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

// An object; empty when there is no note.
json read_note(const RunTeacher& teacher) {
  if (!teacher.cache) return json::object();
  json note = json::parse(teacher.cache->note(), nullptr, /*allow_exceptions=*/false);
  return note.is_object() ? note : json::object();
}

constexpr std::size_t kMostNotedClasses = 100;

json classes_json(const std::vector<ClassMetrics>& classes) {  // [[pictures, recall], ...]
  json rows = json::array();
  for (const ClassMetrics& c : classes) rows.push_back({c.support, std::round(1e4 * c.recall) / 1e4});
  return rows;
}

// NaN is null in JSON.
double number(const json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

// The samples the measures were taken on.
std::string fingerprint_of_split(const Run& run, const std::string& split) {
  return split.empty() ? "" : split + " " + run.task->fingerprint(split);
}

}  // namespace

std::optional<Preflight> noted_preflight(const RunTeacher& teacher) {
  const json note = read_note(teacher);
  if (!note.contains("preflight")) return std::nullopt;
  const json& p = note["preflight"];
  return Preflight{.teacher_accuracy = p.value("accuracy", -1.0),
                   .samples = p.value("samples", std::int64_t{0})};
}

void note_preflight(RunTeacher& teacher, const Preflight& preflight) {
  if (!teacher.cache) return;
  json note = read_note(teacher);
  note["preflight"] = {{"accuracy", preflight.teacher_accuracy}, {"samples", preflight.samples}};
  teacher.cache->set_note(note.dump());
}

std::optional<ModelMeasures> noted_measures(const Run& run, const RunTeacher& teacher,
                                            const std::string& split) {
  const json note = read_note(teacher);
  if (!note.contains("measures") || note["measures"].value("on", "") != fingerprint_of_split(run, split))
    return std::nullopt;
  const json& kept = note["measures"];
  ModelMeasures m;
  // A time of another run, under another load, is not this run's: latency stays unknown.
  m.bytes = kept.value("bytes", std::uint64_t{0});
  for (const auto& [name, value] : kept["figures"].items()) m.figures.emplace_back(name, number(value));
  m.classes.samples = kept.value("samples", std::int64_t{0});
  m.classes.accuracy = figure(m.figures, "accuracy");
  for (const json& row : kept.value("classes", json::array()))
    m.classes.per_class.push_back({.support = row.at(0).get<std::int64_t>(), .recall = number(row.at(1))});
  return m;
}

void note_measures(const Run& run, RunTeacher& teacher, const std::string& split,
                   const ModelMeasures& measures) {
  if (!teacher.cache) return;
  json figures = json::object();
  for (const auto& [name, value] : measures.figures) figures[name] = value;
  json note = read_note(teacher);
  note["measures"] = {{"on", fingerprint_of_split(run, split)},
                      {"samples", measures.classes.samples},
                      {"bytes", measures.bytes},
                      {"figures", figures}};
  // The note has room for the classes of most data, not of all.
  if (measures.classes.per_class.size() <= kMostNotedClasses)
    note["measures"]["classes"] = classes_json(measures.classes.per_class);
  teacher.cache->set_note(note.dump());
}

}  // namespace mgd
