#include "mgd/cli/inspect_pair.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

namespace mgd {
namespace {

bool same_grid(const LayerSummary& a, const LayerSummary& b) {
  return a.shape[1] == b.shape[1] && a.shape[2] == b.shape[2];
}

// Within a block that ends on another grid: on the way from one stage to the next. What lies at the top holds
// all stages, and ends where the last one does.
bool between_stages(const ModelSummary& model, const LayerSummary& node) {
  return std::ranges::any_of(model.nodes, [&](const LayerSummary& other) {
    return other.axes == Axes::map && other.name.find('.') != std::string::npos &&
           node.name.starts_with(other.name + ".") && !same_grid(other, node);
  });
}

std::vector<LayerSummary> stages_of(const ModelSummary& model) {
  std::vector<LayerSummary> stages;
  for (const LayerSummary& node : model.nodes) {
    if (node.axes != Axes::map || node.name == "input" || between_stages(model, node)) continue;
    const auto known =
        std::find_if(stages.begin(), stages.end(), [&](auto& stage) { return same_grid(stage, node); });
    if (known == stages.end())
      stages.push_back(node);
    else
      *known = node;
  }
  return stages;
}

// 0 for equal grids.
double distance(const LayerSummary& a, const LayerSummary& b) {
  const auto ratio = [](std::int64_t x, std::int64_t y) {
    return std::abs(std::log(static_cast<double>(x) / static_cast<double>(y)));
  };
  return ratio(a.shape[1], b.shape[1]) + ratio(a.shape[2], b.shape[2]);
}

std::string node_text(const LayerSummary& node) {
  return fmt::format("{} ({})", node.name, fmt::join(node.shape, ", "));
}

std::string what_it_takes(const LayerSummary& teacher, const LayerSummary& student) {
  std::vector<std::string> steps;
  if (!same_grid(teacher, student))
    steps.push_back(fmt::format("resize: true brings {} x {} to {} x {}", student.shape[1], student.shape[2],
                                teacher.shape[1], teacher.shape[2]));
  if (teacher.shape[0] != student.shape[0])
    steps.push_back(fmt::format("align {} -> {}", student.shape[0], teacher.shape[0]));
  return steps.empty() ? "as they are" : fmt::format("{}", fmt::join(steps, ", "));
}

}  // namespace

std::vector<std::string> describe_pair(const ModelSummary& teacher, const ModelSummary& student) {
  const auto times = [](std::int64_t more, std::int64_t less) {
    return static_cast<double>(more) / static_cast<double>(std::max<std::int64_t>(1, less));
  };
  std::vector<std::string> lines{
      fmt::format("teacher {}: {} parameters, {} multiply-accumulates", teacher.architecture,
                  teacher.parameters, teacher.macs),
      fmt::format("student {}: {} parameters, {} multiply-accumulates ({:.3g} and {:.3g} times less)",
                  student.architecture, student.parameters, student.macs,
                  times(teacher.parameters, student.parameters), times(teacher.macs, student.macs)),
      ""};
  const std::vector<LayerSummary> teachers = stages_of(teacher), students = stages_of(student);
  if (teachers.empty() || students.empty()) {
    lines.push_back(
        fmt::format("the {} has no maps: features of the two cannot be compared position by position",
                    teachers.empty() ? "teacher" : "student"));
    return lines;
  }
  std::vector<std::vector<std::string>> rows{{"student's stage", "teacher's stage", "compared"}};
  std::string recipe;
  for (const LayerSummary& stage : students) {
    const LayerSummary& other = *std::min_element(teachers.begin(), teachers.end(), [&](auto& a, auto& b) {
      return distance(a, stage) < distance(b, stage);
    });
    rows.push_back({node_text(stage), node_text(other), what_it_takes(other, stage)});
    recipe = fmt::format("losses: [{{name: mgd, student_tap: {}, teacher_tap: {}{}}}]", stage.name,
                         other.name, same_grid(stage, other) ? "" : ", resize: true");
  }
  std::size_t first = 0, second = 0;
  for (const auto& row : rows)
    first = std::max(first, row[0].size()), second = std::max(second, row[1].size());
  for (const auto& row : rows)
    lines.push_back(fmt::format("{:<{}}  {:<{}}  {}", row[0], first, row[1], second, row[2]));
  lines.insert(lines.end(), {"", recipe});
  return lines;
}

}  // namespace mgd
