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
  std::map<std::string, std::string> id;
  id["student"] = fmt::format("{} width {} classes {}", run.student_info.architecture,
                              run.student_info.width_multiplier, run.student_info.num_classes);
  id["student parameters"] = fmt::format("{}", run.student_summary.parameters);
  id["teacher"] = run.teacher ? run.teacher->spec().architecture : "(none)";
  id["teacher weights"] = run.teacher ? run.teacher_fingerprint : "(none)";
  id["data"] = run.train_source->fingerprint();
  id["normalisation"] =
      fmt::format("{} / {}", fmt::join(run.student_info.mean, " "), fmt::join(run.student_info.std, " "));
  id["input size"] = fmt::format("{} x {}", run.student_info.height, run.student_info.width);
  id["augment"] = entries(c.data.augment);
  id["views"] = fmt::format("{}", c.data.views);
  id["losses"] = entries(c.losses);
  id["masks"] = entries(c.masks);
  id["optimizer"] = c.train.optimizer;
  id["batch_size"] = fmt::format("{} / {}", c.train.batch_size, c.train.micro_batch_size);
  id["precision"] = c.train.precision;
  id["ema"] = fmt::format("{}", c.train.ema_decay);
  id["seed"] = fmt::format("{}", c.run.seed);
  return id;
}

}  // namespace mgd
