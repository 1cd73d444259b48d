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
  id["teacher"] = run.has_teacher() ? run.teacher_summary.architecture : "(none)";
  id["teacher weights"] = run.has_teacher() ? run.teacher_hash : "(none)";
  // Exact ones are those of a teacher that runs: a run may go on without its cache.
  if (const TeacherCacheConfig& cache = c.train.teacher_cache;
      run.teacher_cache && (cache.features != "fp32" || cache.top_k > 0))
    id["teacher outputs"] = fmt::format("{} features, top_k {}", cache.features, cache.top_k);
  id["losses"] = entries(c.losses);
  for (const Node& entry : c.losses)
    if (const OwnLoss* own = find_own(run.host.losses, entry.find("name")->scalar))
      id["own loss " + own->name] = "version " + own->version;
  for (const ModelSummary* model : {&run.student_summary, &run.teacher_summary})
    if (const OwnModel* own = find_own(run.host.models, model->architecture))
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

std::string difference_of(const std::map<std::string, std::string>& was,
                          const std::map<std::string, std::string>& is) {
  const auto value = [](const std::map<std::string, std::string>& map, const std::string& key) {
    const auto it = map.find(key);
    return it == map.end() ? std::string("(none)") : it->second;
  };
  std::map<std::string, std::string> keys = was;
  keys.insert(is.begin(), is.end());
  std::string text;
  for (const auto& [key, unused] : keys)
    if (value(was, key) != value(is, key))
      text += fmt::format("\n  {}: was {}, is {}", key, value(was, key), value(is, key));
  return text;
}

}  // namespace mgd
