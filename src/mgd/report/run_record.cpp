#include "mgd/report/run_record.h"

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/format/flat_config.h"
#include "mgd/train/run_folder.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

json read_object(const fs::path& path) {
  json object = json::parse(read_file(path), nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) fail(ExitCode::bad_data, "{}: expected a JSON object", path.string());
  return object;
}

double number_or_nan(const json& object, const std::string& key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_number() ? found->get<double>()
                                                     : std::numeric_limits<double>::quiet_NaN();
}

void read_summary(const fs::path& path, RunRecord& run) {
  const json s = read_object(path);
  try {
    run.task = s.value("task", "");
    const json& student = s.at("student");
    run.architecture = student.at("architecture").get<std::string>();
    run.parameters = student.at("parameters").get<std::int64_t>();
    run.macs = student.at("macs").get<std::int64_t>();
    run.bytes = student.at("bytes").get<std::int64_t>();
    run.seed = s.at("seed").get<std::int64_t>();
    run.seconds = s.at("seconds").get<double>();
    run.split = s.at("split").is_string() ? s["split"].get<std::string>() : "";
    run.samples = s.value("eval_samples", std::int64_t{0});
    for (const auto& [name, value] : s.at("best").items())
      if (name != "epoch") run.headline = name;
    run.value = number_or_nan(s.at("metrics"), run.headline);
    run.validation_value = number_or_nan(s.at("best"), run.headline);
  } catch (const json::exception& e) {
    fail(ExitCode::bad_data, "{}: not the summary of a run of mgd ({})", path.string(), e.what());
  }
}

// Of what it was measured on, and of what it learned from: by content, wherever the data lay.
void read_fingerprints(const fs::path& path, RunRecord& run) {
  if (!fs::exists(path)) return;
  const json report = read_object(path);
  const auto fingerprint = [&](const std::string& split) -> std::string {
    const auto found = report.find(split);
    return found != report.end() && found->is_object() ? found->value("fingerprint", "") : "";
  };
  run.fingerprint = fingerprint(run.split);
  run.settings["training data"] = fingerprint("train");
}

}  // namespace

bool RunRecord::higher_is_better() const {
  return !headline.ends_with("loss") && !headline.ends_with("perplexity");
}

bool is_finished_run(const fs::path& folder) {
  return fs::exists(folder / "summary.json");
}

RunRecord read_run(const std::string& folder) {
  const fs::path path = fs::path(folder).lexically_normal();
  if (!fs::is_directory(path)) fail(ExitCode::missing_input, "{}: no such run folder", folder);
  if (!is_finished_run(path))
    fail(ExitCode::missing_input, "{}: {}", folder,
         fs::exists(path / "config.yaml") ? "this run has not ended (no summary.json); go on with --resume"
                                          : "no run there (no summary.json)");
  RunRecord run;
  run.folder = path.string();
  run.name = (path.has_filename() ? path : path.parent_path()).filename().string();
  read_summary(path / "summary.json", run);
  if (fs::exists(path / "config.yaml"))
    run.settings = flat_config(parse_yaml(read_file(path / "config.yaml"), (path / "config.yaml").string()));
  // Such a run is no other seed of one that had these settings from its beginning.
  if (const fs::path changes = path / kChangesFile; fs::exists(changes))
    run.settings["changed in mid-run"] = read_file(changes);
  read_fingerprints(path / "data_report.json", run);
  if (const fs::path answers = path / "answers.jsonl"; fs::exists(answers))
    run.answers = parse_answers(read_file(answers), answers.string());
  return run;
}

}  // namespace mgd
