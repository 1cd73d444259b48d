#include "mgd/train/survey.h"

#include <ATen/core/grad_mode.h>

#include <memory>

#include "mgd/train/step.h"

namespace mgd {

std::vector<std::string> survey_teachers(Run& run) {
  std::vector<const ActiveLoss*> curious;
  for (const auto& active : run.losses)
    if (active.loss->wants_survey()) curious.push_back(&active);
  if (curious.empty()) return {};
  const at::NoGradGuard no_grad;
  const std::unique_ptr<BatchStream> samples =
      run.task->survey_stream(run.teacher()->slice, /*shuffled=*/false);
  for (std::int64_t step = 0; step < samples->steps_per_epoch(); ++step) {
    Batch batch = batch_to(samples->next().micro.at(0), run.device);
    batch.teacher_input = batch.input;
    const std::vector<Record> teachers = teacher_answers(run, batch);
    const Record nobody;
    const Places labelled = labelled_places(batch);
    for (const ActiveLoss* active : curious) {
      const LossInput all{
          .batch = batch, .student = nobody, .teacher = heard_by(*active, teachers), .keep = {}};
      if (const SeenInput seen(*active->loss, all, labelled); !seen.empty()) active->loss->survey(seen.get());
    }
  }
  std::vector<std::string> lines;
  for (const ActiveLoss* active : curious)
    if (std::string line = active->loss->end_survey(); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace mgd
