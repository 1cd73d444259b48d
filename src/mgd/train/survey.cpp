#include "mgd/train/survey.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/data/loader.h"
#include "mgd/nn/batch_to.h"
#include "mgd/train/teacher_forward.h"

namespace mgd {

namespace {

// The training pictures in their order, without augmentation. A corrupt one is replaced as in training.
Loader clean_pictures(const Run& run, const EvalOptions& eval) {
  return {run.image->train(),
          {},
          {.batch_size = teacher_slice(run),
           .threads = run.config.data.loader_threads,
           .mean = eval.mean,
           .std = eval.std,
           .height = eval.height,
           .width = eval.width,
           .view = eval.view,
           .channels_last = run.config.train.channels_last,
           .cache_mb = 0}};
}

}  // namespace

void survey_teacher(Run& run) {
  std::vector<Loss*> curious;
  for (const auto& active : run.losses)
    if (active.loss->wants_survey()) curious.push_back(active.loss.get());
  if (curious.empty()) return;
  if (run.image == nullptr)
    fail(ExitCode::usage, "losses.{}: it surveys the training pictures, and the data are texts",
         curious.front()->label());
  const at::NoGradGuard no_grad;
  Loader loader = clean_pictures(run, run.image->teacher_eval_options());
  for (std::int64_t step = 0; step < loader.steps_per_epoch(); ++step) {
    Batch batch = batch_to(loader.next().micro.at(0), run.device);
    batch.teacher_input = batch.input;
    const Record teacher = teacher_forward(run, batch);
    const Record nobody;
    for (Loss* loss : curious)
      loss->survey({.batch = batch, .student = nobody, .teacher = teacher, .keep = {}});
  }
  for (Loss* loss : curious) loss->end_survey();
}

}  // namespace mgd
