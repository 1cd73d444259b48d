#include "mgd/train/identity.h"

#include <fmt/ranges.h>

namespace mgd {

std::map<std::string, std::string> run_identity(const Run& run) {
  const Config& c = run.config;
  const auto entries = [](const std::vector<Node>& nodes) {
    std::string text;
    for (const Node& node : nodes) text += to_yaml(node);
    return text;
  };
  std::map<std::string, std::string> id = run.task->identity();
  id["student parameters"] = fmt::format("{}", run.student_summary.parameters);
  const RunTeacher* teacher = run.teacher();
  id["teacher"] = teacher != nullptr ? teacher->facts.summary.architecture : "(none)";
  id["teacher weights"] = teacher != nullptr ? teacher->facts.hash : "(none)";
  for (std::size_t i = 1; i < run.teachers.size(); ++i) {
    const RunTeacher& other = *run.teachers[i];
    id["teacher " + other.name] =
        fmt::format("{}, weights {}", other.facts.summary.architecture, other.facts.hash);
  }
  if (run.teachers.size() > 1)
    for (const auto& each : run.teachers)
      id["weights of teachers"] += fmt::format("{} {:g} ", each->name, each->weight);
  // Exact ones are those of a teacher that runs: a run may go on without its cache.
  if (const TeacherCacheConfig& cache = c.train.teacher_cache;
      teacher != nullptr && teacher->cache && (cache.features != "fp32" || cache.top_k > 0))
    id["teacher outputs"] = fmt::format("{} features, top_k {}", cache.features, cache.top_k);
  id["losses"] = entries(c.losses);
  for (const Node& entry : c.losses)
    if (const OwnLoss* own = find_own(run.host.losses, entry.find("name")->scalar))
      id["own loss " + own->name] = "version " + own->version;
  std::vector<std::string> architectures{run.student_summary.architecture};
  for (const auto& each : run.teachers) architectures.push_back(each->facts.summary.architecture);
  for (const std::string& architecture : architectures)
    if (const OwnModel* own = find_own(run.host.models, architecture))
      id["own model " + own->name] = "version " + own->version;
  id["masks"] = entries(c.masks);
  id["optimizer"] = c.train.optimizer;
  // Only where there is something to say: a checkpoint of a run without them has no such line.
  if (run.parts.frozen_parameters > 0) id["frozen"] = fmt::format("{}", fmt::join(c.train.freeze, ", "));
  for (const auto& [pattern, factor] : c.train.lr_scale)
    id["lr_scale"] += fmt::format("{}: {} ", pattern, factor);
  id["batch_size"] = fmt::format("{} / {}", c.train.batch_size, c.train.micro_batch_size);
  id["precision"] = c.train.precision + (c.train.winograd ? ", Winograd" : "") +
                    (c.train.skip_hidden ? "" : ", nothing skipped");
  id["ema"] = fmt::format("{}", c.train.ema_decay);
  id["seed"] = fmt::format("{}", c.run.seed);
  return id;
}

}  // namespace mgd
