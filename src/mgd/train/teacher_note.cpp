#include "mgd/train/teacher_note.h"

#include <limits>
#include <nlohmann/json.hpp>

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

// An object; empty when there is no note.
json read_note(const Run& run) {
  if (!run.teacher_cache) return json::object();
  json note = json::parse(run.teacher_cache->note(), nullptr, /*allow_exceptions=*/false);
  return note.is_object() ? note : json::object();
}

// NaN is null in JSON.
double number(const json& value) {
  return value.is_number() ? value.get<double>() : std::numeric_limits<double>::quiet_NaN();
}

// The samples the measures were taken on.
std::string fingerprint_of_split(const Run& run, const std::string& split) {
  return split.empty() ? "" : split + " " + run.image->source(split)->fingerprint();
}

}  // namespace

std::optional<Preflight> noted_preflight(const Run& run) {
  const json note = read_note(run);
  if (!note.contains("preflight")) return std::nullopt;
  const json& p = note["preflight"];
  return Preflight{.teacher_accuracy = p.value("accuracy", -1.0),
                   .samples = p.value("samples", std::int64_t{0})};
}

void note_preflight(Run& run, const Preflight& preflight) {
  if (!run.teacher_cache) return;
  json note = read_note(run);
  note["preflight"] = {{"accuracy", preflight.teacher_accuracy}, {"samples", preflight.samples}};
  run.teacher_cache->set_note(note.dump());
}

std::optional<ModelMeasures> noted_measures(const Run& run, const std::string& split) {
  const json note = read_note(run);
  if (!note.contains("measures") || note["measures"].value("on", "") != fingerprint_of_split(run, split))
    return std::nullopt;
  const json& kept = note["measures"];
  ModelMeasures m;
  m.latency_ms = kept.value("latency_ms", -1.0);
  m.bytes = kept.value("bytes", std::uint64_t{0});
  for (const auto& [name, value] : kept["figures"].items()) m.figures.emplace_back(name, number(value));
  m.classes.samples = kept.value("samples", std::int64_t{0});
  m.classes.accuracy = figure(m.figures, "accuracy");
  return m;
}

void note_measures(Run& run, const std::string& split, const ModelMeasures& measures) {
  if (!run.teacher_cache) return;
  json figures = json::object();
  for (const auto& [name, value] : measures.figures) figures[name] = value;
  json note = read_note(run);
  note["measures"] = {{"on", fingerprint_of_split(run, split)},
                      {"samples", measures.classes.samples},
                      {"latency_ms", measures.latency_ms},
                      {"bytes", measures.bytes},
                      {"figures", figures}};
  run.teacher_cache->set_note(note.dump());
}

}  // namespace mgd
