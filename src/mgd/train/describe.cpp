#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/format/idle_keys.h"
#include "mgd/train/run.h"

namespace mgd {

namespace {

std::string counted(double value) {
  if (value >= 1e9) return fmt::format("{:.2f} G", value / 1e9);
  if (value >= 1e6) return fmt::format("{:.2f} M", value / 1e6);
  if (value >= 1e4) return fmt::format("{:.1f} k", value / 1e3);
  return fmt::format("{:.0f}", value);
}

std::string model_line(const char* role, const ModelSummary& summary, const std::string& from) {
  if (summary.parameters == 0) return fmt::format("{:<10} {:<18} {}", role, summary.architecture, from);
  return fmt::format("{:<10} {:<18} {:>9} parameters {:>9} MACs   {}", role, summary.architecture,
                     counted(static_cast<double>(summary.parameters)),
                     counted(static_cast<double>(summary.macs)), from);
}

std::string mask_text(const MaskOptions& mask) {
  std::string text = fmt::format("{} mask, ratio {}", mask.mask, mask.mask_ratio);
  if (mask.mask_ratio_end >= 0) text += fmt::format(" -> {}", mask.mask_ratio_end);
  if (mask.mask == "block") text += fmt::format(", size {}", mask.size);
  if (mask.exact) text += ", exact count";
  return text;
}

// "; of 'wide'" where there are several.
std::string heard_text(const Run& run, const ActiveLoss& active) {
  if (run.teachers.size() < 2 || !active.loss->needs_teacher()) return "";
  return active.teacher == kAllTeachers ? "; of all teachers, averaged"
                                        : fmt::format("; of '{}'", run.teachers[active.teacher]->name);
}

}  // namespace

std::vector<std::string> describe_run(const Run& run) {
  const Config& c = run.config;
  std::vector<std::string> lines = run.task->describe();
  for (const std::string& line : idle_keys(c)) lines.push_back(fmt::format("{:<10} {}", "", line));
  const std::vector<TeacherConfig> teachers = c.all_teachers();
  for (std::size_t i = 0; i < run.teachers.size(); ++i) {
    const RunTeacher* teacher = run.teachers[i].get();
    const ModelConfig& given = teachers.at(i).model;
    const std::string from = given.path + given.weights + given.script + given.answers;
    lines.push_back(model_line("teacher", teacher->facts.summary,
                               run.teachers.size() == 1 ? from
                                                        : fmt::format("'{}', weight {:g}: {}", teacher->name,
                                                                      teacher->weight, from)));
    if (!teacher->cache) continue;
    const TeacherCache& cache = *teacher->cache;
    lines.push_back(fmt::format("{:<10} teacher cache {}", "", cache.describe()));
    if (!cache.damage().empty())
      lines.push_back(fmt::format("{:<10} teacher cache {}: {}", "", cache.path().string(), cache.damage()));
  }
  lines.push_back(model_line(
      "student", run.student_summary,
      c.student.path.empty() ? (c.student.weights.empty() ? "fresh" : c.student.weights) : c.student.path));
  for (std::string& line : describe_parts(run.parts, *run.student)) lines.push_back(std::move(line));
  if (run.short_cut) lines.push_back(fmt::format("{:<10} {}", "", run.short_cut->describe()));
  if (!run.no_short_cut.empty())
    lines.push_back(fmt::format("{:<10} the body runs in every step: {}", "", run.no_short_cut));
  std::int64_t blocks = 0;
  for (const auto& active : run.losses) {
    const double warmup = active.loss->warmup_epochs();
    lines.push_back(fmt::format("{:<10} {:<14} {}{}{}", "loss", active.loss->label(), active.loss->describe(),
                                warmup > 0 ? fmt::format("; rising over {:g} epochs", warmup) : "",
                                heard_text(run, active)));
    if (active.mask)
      lines.push_back(fmt::format("{:<10} {:<14} {}", "", "", mask_text(active.mask->options())));
    if (const Module* module = active.loss->trainable()) blocks += module->num_parameters();
  }
  if (!run.teachers.empty() && std::none_of(run.losses.begin(), run.losses.end(),
                                            [](const auto& active) { return active.loss->needs_teacher(); }))
    lines.push_back(fmt::format(
        "{:<10} none of them learns from the teacher, so the student learns alone; kd, mgd and others do",
        ""));
  for (std::size_t i = 0; run.teachers.size() > 1 && i < run.teachers.size(); ++i)
    if (std::none_of(run.losses.begin(), run.losses.end(), [i](const ActiveLoss& active) {
          return active.loss->needs_teacher() && (active.teacher == i || active.teacher == kAllTeachers);
        }))
      lines.push_back(fmt::format("{:<10} nobody listens to the teacher '{}'", "", run.teachers[i]->name));
  for (const auto& mask : run.node_masks)
    lines.push_back(fmt::format("{:<10} {:<14} {}, {} fill, student only, {}", "mask", mask->options().node,
                                mask_text(mask->options().mask), mask->options().fill,
                                fmt::join(mask->info().sizes, " x ")));
  if (blocks > 0)
    lines.push_back(fmt::format("{:<10} {} parameters of align and generation blocks, thrown away afterwards",
                                "", counted(static_cast<double>(blocks))));
  lines.push_back(fmt::format(
      "{:<10} {} lr {} {}, weight decay {}, batch {}{}, {}", "train", c.train.optimizer, c.train.lr,
      c.train.schedule, c.train.weight_decay, c.train.batch_size,
      c.train.micro_batch_size > 0 ? fmt::format(" as micro-batches of {}", c.train.micro_batch_size) : "",
      c.train.precision));
  lines.push_back(fmt::format("{:<10} {} epochs x {} steps = {} steps, seed {}", "", c.train.epochs,
                              run.steps_per_epoch, run.total_steps, c.run.seed));
  return lines;
}

}  // namespace mgd
