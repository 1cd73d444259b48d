#include "mgd/train/preflight.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/isfinite.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/data/loader.h"
#include "mgd/train/teacher_note.h"

namespace mgd {

namespace {

constexpr std::int64_t kSamples = 256, kAtOnce = 32;

std::string normalisation_text(const Run& run) {
  const EvalOptions eval = run.image->eval_options();
  return fmt::format("mean {}, std {}", fmt::join(eval.mean, " "), fmt::join(eval.std, " "));
}

Preflight show_first_batch(Run& run) {
  const ImageSource& train = run.image->train();
  const EvalOptions eval = run.image->teacher_eval_options();
  Loader loader(train, {},
                {.batch_size = std::min(kSamples, train.size()),
                 .micro_batch_size = kAtOnce,
                 .shuffle = true,
                 .seed = static_cast<std::uint64_t>(run.config.run.seed),
                 .threads = 0,
                 .mean = eval.mean,
                 .std = eval.std,
                 .height = eval.height,
                 .width = eval.width,
                 .view = eval.view,
                 .cache_mb = 0});
  at::NoGradGuard no_grad;
  double right = 0;
  std::int64_t samples = 0;
  for (const Batch& batch : loader.next().micro) {
    Forward forward;
    Batch shown = batch;
    shown.input = batch.input.to(run.device);
    const at::Tensor logits = run.teacher->run(shown, forward).logits;
    if (!at::isfinite(logits).all().item<bool>())
      fail(ExitCode::usage,
           "teacher: {} gives NaN or infinity on a first batch; weights or normalisation ({}) are wrong",
           run.teacher->architecture(), normalisation_text(run));
    if (run.no_teacher_logits.empty()) right += logits.argmax(1).cpu().eq(batch.target).sum().item<double>();
    samples += batch.size();
  }
  return {.teacher_accuracy = right / static_cast<double>(samples), .samples = samples};
}

void refuse_untrained(const Run& run, const Preflight& result) {
  // Three standard errors above chance: below that, nothing shows that it has learned these classes.
  const double chance = 1.0 / static_cast<double>(run.task->num_classes());
  const double bar = chance + 3 * std::sqrt(chance * (1 - chance) / static_cast<double>(result.samples));
  if (run.config.train.check_teacher && result.samples >= 32 && result.teacher_accuracy < bar)
    fail(ExitCode::usage,
         "teacher: {} looks untrained: {:.1f} % on {} training images, guessing gives {:.1f} %; check its "
         "weights, the normalisation "
         "({}) and the order of the classes ({}), or set train.check_teacher=false",
         run.teacher_summary.architecture, 100 * result.teacher_accuracy, result.samples, 100 * chance,
         normalisation_text(run), fmt::join(run.image->train().class_names(), ", "));
}

}  // namespace

Preflight preflight(Run& run) {
  if (!run.has_teacher() || run.image == nullptr) return {};
  const Preflight result = run.teacher ? show_first_batch(run) : noted_preflight(run).value();
  if (run.teacher) note_preflight(run, result);
  if (!run.no_teacher_logits.empty()) return {};
  refuse_untrained(run, result);
  return result;
}

}  // namespace mgd
