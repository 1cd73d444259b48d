#include "mgd/train/identity.h"

#include <fmt/core.h>

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
  id["teacher"] = run.teacher ? run.teacher->architecture() : "(none)";
  id["teacher weights"] = run.teacher ? run.teacher_fingerprint : "(none)";
  id["losses"] = entries(c.losses);
  id["masks"] = entries(c.masks);
  id["optimizer"] = c.train.optimizer;
  id["batch_size"] = fmt::format("{} / {}", c.train.batch_size, c.train.micro_batch_size);
  id["precision"] = c.train.precision + (c.train.winograd ? ", Winograd" : "") +
                    (c.train.skip_hidden ? "" : ", nothing skipped");
  id["ema"] = fmt::format("{}", c.train.ema_decay);
  id["seed"] = fmt::format("{}", c.run.seed);
  return id;
}

}  // namespace mgd
