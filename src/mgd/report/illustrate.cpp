#include <ATen/core/grad_mode.h>
#include <ATen/ops/mean.h>

#include <algorithm>

#include "mgd/report/collect.h"
#include "mgd/train/step.h"

namespace mgd {

namespace {

// Mean over channels of sample b: (B, C, Y, X) -> {Y, X}.
ReportMap channel_mean(const std::string& title, const at::Tensor& map, std::int64_t b) {
  const at::Tensor mean = map[b].to(at::kFloat).mean(0).cpu().contiguous();
  ReportMap out{.title = title, .height = mean.size(0), .width = mean.size(1), .values = {}};
  const float* values = mean.const_data_ptr<float>();
  out.values.assign(values, values + mean.numel());
  return out;
}

// Of a map of 2 x 2 nobody can say where anything is.
bool too_small_to_see(const Maps& maps) {
  return std::any_of(maps.begin(), maps.end(),
                     [](const auto& entry) { return entry.second.size(2) < 3 || entry.second.size(3) < 3; });
}

}  // namespace

std::vector<ReportIllustration> illustrate(Run& run, const FinalMeasures& m,
                                           const std::vector<std::int64_t>& indices) {
  const ImageSource& source = *m.source;
  std::vector<ReportIllustration> rows;
  if (run.teachers.empty() || !run.teacher()->live->loaded() || indices.empty() ||
      run.teacher()->facts.silent_on.contains(m.split))
    return rows;
  at::NoGradGuard no_grad;
  std::vector<std::int64_t> samples;  // the split has those too that could not be read
  for (const std::int64_t i : indices) samples.push_back(m.student.samples.at(static_cast<std::size_t>(i)));
  const Batch batch = batch_to(run.task->samples(m.split, samples), run.device);
  StepBatches step;
  step.micro.push_back(batch);
  const StepPlan plan = plan_step(run, step, 0);
  const std::vector<Record> teachers = teacher_answers(run, batch);
  Forward forward;
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->student_taps()) forward.capture(tap);
  const Record student = run.student->run(batch, forward);
  for (std::size_t i = 0; i < run.losses.size(); ++i) {
    LossInput input{
        .batch = batch, .student = student, .teacher = heard_by(run.losses[i], teachers), .keep = {}};
    input.keep = mask_of(run, i, plan, input, plan.loss_keep[0][i]);
    const Maps maps = run.losses[i].loss->illustrate(input);
    if (maps.empty() || too_small_to_see(maps)) continue;
    for (std::size_t b = 0; b < indices.size(); ++b) {
      const std::int64_t label = source.label(indices[b]);
      ReportIllustration row{
          .tap = run.losses[i].loss->label(),
          .caption = label >= 0 ? source.class_names().at(static_cast<std::size_t>(label)) : "",
          .image = source.image(indices[b]),
          .maps = {}};
      for (const auto& [key, title] :
           {std::pair{"aligned", "student, aligned"}, std::pair{"masked", "masked"},
            std::pair{"generated", "regenerated"}, std::pair{"teacher", "teacher"}})
        if (auto it = maps.find(key); it != maps.end())
          row.maps.push_back(channel_mean(title, it->second, static_cast<std::int64_t>(b)));
      rows.push_back(std::move(row));
    }
  }
  return rows;
}

}  // namespace mgd
