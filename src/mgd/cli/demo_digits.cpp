#include <fmt/ranges.h>

#include <cmath>

#include "mgd/cli/demo.h"
#include "mgd/cli/training.h"
#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/eval/statistics.h"
#include "mgd/front/text.h"
#include "mgd/report/report.h"

namespace mgd {

namespace {

struct Method {
  std::string name, key;
  std::vector<std::string> overrides;
};

// The same student, data, budget and schedule each; only the losses differ.
std::vector<Method> methods() {
  const std::string kd = "{name: kd, weight: 0.9, temperature: 4}";
  const std::string mgd = "{name: mgd, weight: 1.0, weight_on: mean, mask: channel, mask_ratio: 0.15}";
  return {{"student alone", "alone", {"losses=[{name: cross_entropy}]"}},
          {"KD", "kd", {"losses=[{name: cross_entropy, weight: 0.1}, " + kd + "]"}},
          {"MGD", "mgd", {"losses=[{name: cross_entropy}, " + mgd + "]"}},
          {"MGD + KD", "mgd-kd", {"losses=[{name: cross_entropy, weight: 0.1}, " + kd + ", " + mgd + "]"}}};
}

// With all labels a student this small learns the digits by itself and every method is as good as the others;
// a teacher matters where the student has few.
std::vector<std::string> few_labels(std::int64_t per_class) {
  if (per_class == 0) return {};
  return {fmt::format("data.per_class={}", per_class), "train.epochs=80", "train.batch_size=32",
          "train.eval_every=10"};
}

std::string find_digits(const std::string& given) {
  if (!given.empty()) return given;
  std::vector<std::string> places{".cache/digits/digits.csv.gz"};
  std::error_code error;
  const fs::path program = fs::read_symlink("/proc/self/exe", error);
  if (!error)
    places.push_back(
        (program.parent_path() / "../../.cache/digits/digits.csv.gz").lexically_normal().string());
  for (const auto& place : places)
    if (fs::exists(place)) return fs::absolute(place).string();
  fail(ExitCode::missing_input,
       "demo: the digits are not there (looked at {}); run `make demo`, or give --data digits.csv.gz",
       fmt::join(places, " and "));
}

double accuracy_of(const TrainingOutcome& outcome) {
  return outcome.result.headline_value();
}

struct DemoResult {
  RunModel teacher, student;  // the first, as its own run trained it; a student of any method
  std::vector<std::vector<double>> accuracies;  // [method][seed]
  double seconds = 0;
  std::int64_t per_class = 0;
};

std::string percent(double value) {
  return fmt::format("{:.2f}", 100 * value);
}

std::vector<std::vector<std::string>> table_rows(const DemoResult& result) {
  std::vector<std::vector<std::string>> rows;
  const auto all = methods();
  const MeanSpread alone = mean_spread(result.accuracies.at(0));
  for (std::size_t m = 0; m < all.size(); ++m) {
    const MeanSpread spread = mean_spread(result.accuracies[m]);
    std::vector<std::string> row{all[m].name, percent(spread.mean), percent(spread.deviation),
                                 m == 0 ? "" : fmt::format("{:+.2f}", 100 * (spread.mean - alone.mean))};
    for (double value : result.accuracies[m]) row.push_back(percent(value));
    rows.push_back(std::move(row));
  }
  return rows;
}

// What the numbers allow to be said, computed from them and not written beforehand.
std::vector<std::string> findings(const DemoResult& result) {
  std::vector<std::string> lines;
  const auto all = methods();
  const MeanSpread alone = mean_spread(result.accuracies.at(0));
  const auto seeds = static_cast<double>(result.accuracies[0].size());
  for (std::size_t m = 1; m < all.size(); ++m) {
    const MeanSpread spread = mean_spread(result.accuracies[m]);
    const double gain = spread.mean - alone.mean;
    const double error =
        std::sqrt((spread.deviation * spread.deviation + alone.deviation * alone.deviation) / seeds);
    const char* verdict = gain > 2 * error    ? "more than two standard errors: it helped here"
                          : gain < -2 * error ? "more than two standard errors: it hurt here"
                                              : "within two standard errors: these seeds show no difference";
    lines.push_back(fmt::format("{}: {:+.2f} points against the student alone ({:.2f} +- {:.2f}), {}.",
                                all[m].name, 100 * gain, 100 * spread.mean, 100 * spread.deviation, verdict));
  }
  lines.push_back(fmt::format(
      "{} seeds and a test part of a few hundred 8 x 8 digits: enough to see the tools work, too little to "
      "rank methods. One image more or less is {:.2f} points.",
      result.accuracies[0].size(), 100.0 / static_cast<double>(result.student.measures.classes.samples)));
  if (result.per_class > 0)
    lines.push_back(
        fmt::format("The student saw {} labelled images a class, the teacher all of them. With all labels "
                    "(--per-class 0) "
                    "the four are close to each other.",
                    result.per_class));
  return lines;
}

void print_result(const DemoResult& result, const fs::path& folder) {
  const auto model = [](const RunModel& m) {
    return fmt::format("{}, {} parameters", m.summary.architecture, m.summary.parameters);
  };
  fmt::print("\nteacher  {}: {} % right on the test part\n", model(result.teacher),
             percent(result.teacher.measures.classes.accuracy));
  fmt::print("student  {}\n\n", model(result.student));
  fmt::print("{:<16} {:>9} {:>8} {:>10}   each seed\n", "method", "% right", "spread", "vs. alone");
  for (const auto& row : table_rows(result)) {
    fmt::print("{:<16} {:>9} {:>8} {:>10}  ", row[0], row[1], row[2], row[3]);
    for (std::size_t i = 4; i < row.size(); ++i) fmt::print(" {}", row[i]);
    fmt::print("\n");
  }
  fmt::print("\n");
  for (const auto& line : findings(result)) fmt::print("{}", wrapped("-", 2, line));
  fmt::print("\n{:.0f} s in all. Report: {}\n", result.seconds, (folder / "report.html").string());
  fmt::print("Next:  mgd inspect {}\n", (folder / "mgd-kd-1" / "student").string());
  fmt::print("       mgd distill digits-distill teacher.path={}\n", (folder / "teacher" / "model").string());
}

void write_report(const DemoResult& result, const fs::path& folder) {
  ReportData data;
  data.title = "Digits: one student, four ways to train it";
  data.subtitle =
      "UCI handwritten digits (Alpaydin and Kaynak, 1998; CC BY 4.0), 1,797 images of 8 x 8 pixels";
  data.findings = findings(result);
  const auto model = [](const char* role, const RunModel& m) {
    return ReportModel{.role = role,
                       .architecture = m.summary.architecture,
                       .parameters = m.summary.parameters,
                       .macs = m.summary.macs,
                       .bytes = static_cast<std::int64_t>(m.measures.bytes),
                       .latency_ms = m.measures.latency_ms,
                       .accuracy = m.measures.classes.accuracy,
                       .seeds = 1};
  };
  data.models.push_back(model("teacher", result.teacher));
  const auto all = methods();
  for (std::size_t m = 0; m < all.size(); ++m) {
    ReportModel row = model(all[m].name.c_str(), result.student);
    const MeanSpread spread = mean_spread(result.accuracies[m]);
    row.accuracy = spread.mean;
    row.accuracy_spread = spread.deviation;
    row.seeds = static_cast<int>(result.accuracies[m].size());
    data.models.push_back(row);
  }
  ReportTable table{.title = "Accuracy by method and seed",
                    .note = "Per cent of the test part; spread is the sample standard deviation."};
  table.header = {"method", "mean", "spread", "against alone"};
  for (std::size_t s = 1; s <= result.accuracies[0].size(); ++s)
    table.header.push_back(fmt::format("seed {}", s));
  table.rows = table_rows(result);
  data.tables.push_back(std::move(table));
  for (const auto& method : all) {
    const fs::path metrics = folder / (method.key + "-1") / "metrics.jsonl";
    for (auto& curve : read_curves(read_file(metrics)))
      if (curve.name == "eval/accuracy")
        data.curves.push_back({.name = method.name + ": eval/accuracy", .points = curve.points});
  }
  write_file_atomic(folder / "report.html", render_report(data));
}

}  // namespace

int demo_digits(const DemoFlags& flags) {
  const double start = now_seconds();
  const std::string digits = find_digits(flags.data);
  const fs::path folder = flags.run_dir.empty() ? "runs/demo-digits" : flags.run_dir;
  Console console(flags.quiet, "auto");
  Console silent(/*quiet=*/true, "never");
  const auto run = [&](const std::string& recipe, const std::string& name, std::int64_t seed,
                       std::vector<std::string> overrides, const char* model_dir) {
    overrides.push_back("data.path=" + digits);
    overrides.push_back("run.dir=" + (folder / name).string());
    overrides.push_back(fmt::format("run.seed={}", seed));
    overrides.push_back(fmt::format("run.threads={}", flags.threads));
    const TrainingOutcome outcome =
        run_training(load_config(recipe, overrides), {.overwrite = true}, model_dir, silent);
    if (outcome.exit_code != 0) throw Error(static_cast<ExitCode>(outcome.exit_code), "demo: stopped");
    return outcome;
  };
  DemoResult result;
  result.per_class = flags.per_class;
  console.stage("teacher: a ResNet-20 learns the digits");
  result.teacher = run("digits-teacher", "teacher", 1, {}, "model").result.student;
  const std::string teacher = "teacher.path=" + fs::absolute(folder / "teacher" / "model").string();
  for (const Method& method : methods()) {
    std::vector<double> accuracies;
    for (std::int64_t seed = 1; seed <= flags.seeds; ++seed) {
      console.stage(fmt::format("{}: seed {} of {}", method.name, seed, flags.seeds));
      std::vector<std::string> overrides = method.overrides;
      const auto few = few_labels(flags.per_class);
      overrides.insert(overrides.end(), few.begin(), few.end());
      if (method.key != "alone") overrides.push_back(teacher);
      const TrainingOutcome outcome = run(method.key == "alone" ? "digits-student" : "digits-distill",
                                          fmt::format("{}-{}", method.key, seed), seed, overrides, "student");
      accuracies.push_back(accuracy_of(outcome));
      result.student = outcome.result.student;
    }
    result.accuracies.push_back(std::move(accuracies));
  }
  result.seconds = now_seconds() - start;
  write_report(result, folder);
  print_result(result, folder);
  return 0;
}

}  // namespace mgd
