#include "mgd/train/preflight.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/train/teacher_note.h"

namespace mgd {

namespace {

constexpr std::int64_t kSamples = 256, kAtOnce = 32;

Preflight show_first_batch(Run& run, RunTeacher& teacher) {
  const auto stream = run.task->survey_stream(kAtOnce, /*shuffled=*/true);
  Model& model = teacher.live->model();
  at::NoGradGuard no_grad;
  double right = 0;
  std::int64_t samples = 0;
  for (std::int64_t step = 0; step < std::min(kSamples / kAtOnce, stream->steps_per_epoch()); ++step) {
    const Batch batch = stream->next().micro.at(0);
    Forward forward;
    const at::Tensor logits = model.run(batch_to(batch, run.device), forward).logits;
    if (!at::isfinite(logits).all().item<bool>())
      fail(ExitCode::usage,
           "{}: {} gives NaN or infinity on a first batch; weights or normalisation ({}) are wrong",
           teacher.name, teacher.facts.summary.architecture, run.task->input_text());
    const bool judged = teacher.facts.no_logits.empty() && run.task->labelled();
    if (judged) right += logits.argmax(1).cpu().eq(batch.target).sum().item<double>();
    samples += judged ? batch.target.ge(0).sum().item<std::int64_t>() : batch.size();
  }
  return {.teacher_accuracy = right / static_cast<double>(std::max<std::int64_t>(samples, 1)),
          .samples = samples};
}

void refuse_untrained(const Run& run, const RunTeacher& teacher, const Preflight& result) {
  // Three standard errors above chance: below that, nothing shows that it has learned these classes.
  const double chance = 1.0 / static_cast<double>(run.task->num_classes());
  const double bar = chance + 3 * std::sqrt(chance * (1 - chance) / static_cast<double>(result.samples));
  if (run.config.train.check_teacher && result.samples >= 32 && result.teacher_accuracy < bar)
    fail(ExitCode::usage,
         "{}: {} looks untrained: {:.1f} % on {} training samples, guessing gives {:.1f} %; check its "
         "weights, the normalisation "
         "({}) and the order of the classes ({}), or set train.check_teacher=false",
         teacher.name, teacher.facts.summary.architecture, 100 * result.teacher_accuracy, result.samples,
         100 * chance, run.task->input_text(), fmt::join(run.task->class_names(), ", "));
}

}  // namespace

std::vector<Preflight> preflight(Run& run) {
  std::vector<Preflight> all;
  if (run.task->num_classes() == 0) return all;
  for (const auto& teacher : run.teachers) {
    const bool loaded = teacher->live->loaded();
    Preflight result = loaded ? show_first_batch(run, *teacher) : noted_preflight(*teacher).value();
    if (loaded) note_preflight(*teacher, result);
    result.noted = !loaded;
    const bool judged = teacher->facts.no_logits.empty() && run.task->labelled();
    if (judged) refuse_untrained(run, *teacher, result);
    all.push_back(judged ? result : Preflight{});
  }
  return all;
}

}  // namespace mgd
