#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/mean.h>

#include <algorithm>

#include "mgd/data/loader.h"
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

// The pictures of `indices` as one batch.
Batch batch_of(const EvalOptions& eval, const ImageSource& source, const std::vector<std::int64_t>& indices) {
  Batch all;
  for (std::int64_t index : indices) {
    Loader loader(source, {},
                  {.batch_size = 1,
                   .threads = 0,
                   .mean = eval.mean,
                   .std = eval.std,
                   .height = eval.height,
                   .width = eval.width,
                   .view = eval.view,
                   .channels_last = false,
                   .cache_mb = 0});
    loader.seek(0, index);
    Batch one = loader.next().micro.at(0);
    all.input = all.input.defined() ? at::cat({all.input, one.input}) : one.input;
    all.target = all.target.defined() ? at::cat({all.target, one.target}) : one.target;
    all.sample_ids.push_back(index);
  }
  return all;
}

}  // namespace

std::vector<ReportIllustration> illustrate(Run& run, const ImageSource& source,
                                           const std::vector<std::int64_t>& indices) {
  std::vector<ReportIllustration> rows;
  if (!run.teacher || indices.empty()) return rows;
  at::NoGradGuard no_grad;
  Batch batch = batch_of(run.image->eval_options(), source, indices);
  batch.input = batch.input.to(run.device);
  if (run.image->teacher_sees_another_size())
    batch.teacher_input = batch_of(run.image->teacher_eval_options(), source, indices).input.to(run.device);
  StepBatches step;
  step.micro.push_back(batch);
  const StepPlan plan = plan_step(run, step, 0);
  const Record teacher = teacher_forward(run, batch);
  Forward forward;
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->student_taps()) forward.capture(tap);
  const Record student = run.student->run(batch, forward);
  for (std::size_t i = 0; i < run.losses.size(); ++i) {
    LossInput input{.batch = batch, .student = student, .teacher = teacher, .keep = {}};
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
