#include "mgd/train/survey.h"

#include <ATen/core/grad_mode.h>

#include <memory>

#include "mgd/data/loader.h"
#include "mgd/nn/batch_to.h"
#include "mgd/train/teacher_forward.h"

namespace mgd {

namespace {

// The training pictures in their order, without augmentation. A corrupt one is replaced as in training.
std::unique_ptr<BatchStream> clean_pictures(const Run& run, const EvalOptions& eval) {
  return std::make_unique<Loader>(run.image->train(), AugmentChain{},
                                  LoaderOptions{.batch_size = teacher_slice(run),
                                                .threads = run.config.data.loader_threads,
                                                .mean = eval.mean,
                                                .std = eval.std,
                                                .height = eval.height,
                                                .width = eval.width,
                                                .view = eval.view,
                                                .channels_last = run.config.train.channels_last,
                                                .cache_mb = 0});
}

}  // namespace

std::vector<std::string> survey_teacher(Run& run) {
  std::vector<Loss*> curious;
  for (const auto& active : run.losses)
    if (active.loss->wants_survey()) curious.push_back(active.loss.get());
  if (curious.empty()) return {};
  const at::NoGradGuard no_grad;
  const std::unique_ptr<BatchStream> stream = run.image != nullptr
                                                  ? clean_pictures(run, run.image->teacher_eval_options())
                                                  : run.text->clean_stream();
  for (std::int64_t step = 0; step < stream->steps_per_epoch(); ++step) {
    Batch batch = batch_to(stream->next().micro.at(0), run.device);
    batch.teacher_input = batch.input;
    const Record teacher = teacher_forward(run, batch);
    const Record nobody;
    for (Loss* loss : curious)
      loss->survey({.batch = batch, .student = nobody, .teacher = teacher, .keep = {}});
  }
  std::vector<std::string> lines;
  for (Loss* loss : curious)
    if (std::string line = loss->end_survey(); !line.empty()) lines.push_back(std::move(line));
  return lines;
}

}  // namespace mgd
