#include "mgd/train/estimate.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/core/free_memory.h"
#include "mgd/ops/allocator.h"
#include "mgd/train/step.h"

namespace mgd {

namespace {

constexpr double kFloat = 4;            // bytes
constexpr double kMeasuredMacs = 8e9;   // of all that is tried out: under a second on one core
constexpr double kSmallRunMacs = 3e11;  // half a minute: nobody waits for an estimate
constexpr double kSmallBytes = 512.0 * (1 << 20);
constexpr double kBackward = 3;  // arithmetic of forward and backward, in forwards

double elements(const std::vector<std::int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), 1.0, std::multiplies<>());
}

double all_activations(const ModelSummary& summary) {
  double sum = 0;
  for (const auto& node : summary.nodes) sum += elements(node.shape);
  return sum;
}

double largest_activation(const ModelSummary& summary) {
  double most = 0;
  for (const auto& node : summary.nodes) most = std::max(most, elements(node.shape));
  return most;
}

// Losses that see a step at once keep all its micro-batches in memory.
bool keeps_whole_steps(const Run& run) {
  return joins_micro_batches(run, 2);
}

// Samples that are in memory at once.
std::int64_t micro_batch(const Run& run) {
  const TrainConfig& train = run.config.train;
  if (keeps_whole_steps(run)) return train.batch_size;
  return train.micro_batch_size > 0 ? std::min(train.micro_batch_size, train.batch_size) : train.batch_size;
}

// Batch norm in the block of a loss may see a vector a sample, of which one has no variance.
std::int64_t fewest_samples(const Run& run) {
  for (const auto& active : run.losses)
    if (const Module* blocks = active.loss->trainable(); blocks != nullptr && !blocks->buffers().empty())
      return 2;
  return 1;
}

// Everything that a pass changes, and how it was.
class Traces {
 public:
  explicit Traces(Run& run) : run_(run) {
    const auto watch = [this](const Module* module) {
      if (module == nullptr) return;
      for (const auto& entry : module->buffers()) {
        live_.push_back(entry.tensor);
        saved_.push_back(entry.tensor.clone());
      }
    };
    watch(run.student.get());
    for (const auto& teacher : run.teachers)
      if (teacher->live->loaded()) watch(&teacher->live->model());
    for (const auto& active : run.losses) watch(active.loss->trainable());
    for (const auto& mask : run.node_masks) watch(mask.get());
  }
  ~Traces() {
    const at::NoGradGuard no_grad;
    for (std::size_t i = 0; i < live_.size(); ++i) live_[i].copy_(saved_[i]);
    for (auto& entry : run_.parameters()) entry.tensor.mutable_grad().reset();
  }
  Traces(const Traces&) = delete;
  Traces& operator=(const Traces&) = delete;

 private:
  Run& run_;
  std::vector<at::Tensor> live_, saved_;
};

struct Probe {
  double bytes = 0, seconds = 0;
};

// What the teachers would say, without asking them.
std::vector<Record> silent_teachers(const Run& run, std::int64_t samples) {
  std::vector<Record> answers;
  for (std::size_t i = 0; i < run.teachers.size(); ++i) {
    const TeacherFacts& facts = run.teachers[i]->facts;
    Record answer{.logits = at::zeros({samples, facts.num_outputs}, at::kFloat).to(run.device)};
    const NodeInfos nodes = facts.summary.node_infos();
    for (const auto& active : run.losses) {
      if (active.teacher != i) continue;
      for (const auto& tap : active.loss->teacher_taps()) {
        std::vector<std::int64_t> shape = nodes.at(tap).sizes;
        shape.insert(shape.begin(), samples);
        answer.nodes[tap] = {.data = at::randn(shape, at::kFloat).to(run.device), .axes = nodes.at(tap).axes};
      }
    }
    answers.push_back(std::move(answer));
  }
  answers.push_back(answers.empty() ? Record{} : Record{.logits = answers.front().logits});
  return answers;
}

// The student's pass there and back, with an answer of the teacher that costs nothing.
Probe try_out(Run& run, const Rehearsal& rehearsal, std::int64_t samples) {
  StepBatches batches;
  batches.micro.push_back(rehearsal.noise(samples));
  StepOutput output;
  output.batch = batches.micro.front();
  const std::uint64_t before = allocator_stats().live_bytes;
  restart_allocator_peak();
  const double start = now_seconds();
  output.teachers = silent_teachers(run, samples);
  const StepPlan plan = plan_step(run, batches, 0);
  StepResult result;
  output.student = student_forward(run, output.batch, 0, plan.node_keep[0]);
  const at::Tensor loss = distill_loss(run, plan, 0, output, result);
  if (loss.defined() && loss.requires_grad()) loss.backward();
  return {.bytes = static_cast<double>(allocator_stats().peak_live_bytes - before),
          .seconds = now_seconds() - start};
}

// Of one sample in a slice of the usual size; the first pass only warms up. Noise never comes again, so that
// no cache keeps what is said of it.
double teacher_seconds(Run& run, const Rehearsal& rehearsal) {
  double seconds = 0;
  for (const auto& teacher : run.teachers) {
    teacher->front->answer(rehearsal.noise(1));
    const double start = now_seconds();
    teacher->front->answer(rehearsal.noise(1));
    seconds += (now_seconds() - start) / static_cast<double>(teacher->slice);
  }
  return seconds;
}

// Of caches that are being filled; 0 without one.
double answers_missing(const Run& run) {
  std::size_t missing = 0;
  for (const auto& teacher : run.teachers)
    if (teacher->cache)
      for (std::int64_t view = 0; view < run.task->num_views(); ++view)
        missing += teacher->cache->missing_samples(view).size();
  return static_cast<double>(missing);
}

bool keeps_answers(const Run& run) {
  return std::any_of(run.teachers.begin(), run.teachers.end(),
                     [](const auto& t) { return t->cache != nullptr; });
}

double macs_of_teachers(const Run& run) {
  double macs = 0;
  for (const auto& teacher : run.teachers) macs += static_cast<double>(teacher->facts.summary.macs);
  return macs;
}

// Weights have gradients, moments, perhaps an average, and a copy of the best.
double bytes_beside_weights(const Run& run) {
  double parameters = 0;
  for (const auto& entry : run.trainable()) parameters += static_cast<double>(entry.tensor.numel());
  const TrainConfig& train = run.config.train;
  return kFloat * parameters * (3 + (train.optimizer == "adamw" ? 1 : 0) + (train.ema_decay > 0 ? 1 : 0));
}

bool too_small(const Run& run, const Rehearsal& rehearsal, std::int64_t micro) {
  const double samples =
      static_cast<double>(run.total_steps) * static_cast<double>(run.config.train.batch_size);
  const double macs = kBackward * static_cast<double>(run.student_summary.macs) + macs_of_teachers(run);
  const double bytes =
      kFloat * 2 * static_cast<double>(micro) * all_activations(run.student_summary) + rehearsal.kept_bytes;
  return macs * samples < kSmallRunMacs && bytes < kSmallBytes;
}

std::string gibibytes(double bytes) {
  return fmt::format("{:.1f} GiB", bytes / (1 << 30));
}

std::string duration(double seconds) {
  if (seconds < 100) return fmt::format("{:.0f} s", seconds);
  if (seconds < 100 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace

RunEstimate estimate_run(Run& run, bool always) {
  RunEstimate estimate{.micro_batch = micro_batch(run), .steps = run.total_steps};
  const std::int64_t micro = estimate.micro_batch;
  const std::optional<Rehearsal> rehearsal = run.task->rehearsal();
  if (!rehearsal || run.short_cut || !run.device.is_cpu() || !caching_allocator_in_use()) return estimate;
  if (!always && too_small(run, *rehearsal, micro)) return estimate;
  estimate.free_bytes = static_cast<double>(free_memory_bytes());
  const Traces traces(run);
  // Two sizes, whose difference is that of their samples; the time is that of a pass that is warm.
  constexpr double kSamplesTried = 5;  // in the unit of the smaller size
  const double macs = std::max(1.0, static_cast<double>(run.student_summary.macs));
  const double most = kMeasuredMacs / (kBackward * macs * kSamplesTried);
  const std::int64_t fewest = std::min(micro, fewest_samples(run));
  const auto less =
      std::min<std::int64_t>(std::clamp<std::int64_t>(static_cast<std::int64_t>(most), fewest, 4),
                             std::max<std::int64_t>(fewest, micro / 2));
  const std::int64_t more = std::min(micro, 2 * less);
  const Probe one = try_out(run, *rehearsal, less);
  const Probe two = try_out(run, *rehearsal, more);
  const double student_seconds = try_out(run, *rehearsal, more).seconds / static_cast<double>(more);
  const double slice = run.teachers.empty() ? 1 : static_cast<double>(run.teacher()->slice);
  const double teacher_macs = macs_of_teachers(run);
  double answer_seconds = 0;
  if (!run.teachers.empty() && run.teacher()->live->loaded())
    answer_seconds = teacher_macs * slice <= kMeasuredMacs
                         ? teacher_seconds(run, *rehearsal)
                         : student_seconds * teacher_macs / (kBackward * macs);
  const auto batch = static_cast<double>(run.config.train.batch_size);
  estimate.step_seconds = batch * (student_seconds + (keeps_answers(run) ? 0 : answer_seconds));
  estimate.teacher_seconds =
      answer_seconds * std::min(answers_missing(run), batch * static_cast<double>(run.total_steps));
  estimate.sample_bytes = more > less
                              ? std::max(0.0, two.bytes - one.bytes) / static_cast<double>(more - less)
                              : two.bytes / static_cast<double>(more);
  constexpr double kTeacherMaps = 3, kScratch = 256.0 * (1 << 20);  // buffers of threads and libraries
  double teacher_bytes = 0;
  for (const auto& teacher : run.teachers)
    teacher_bytes =
        std::max(teacher_bytes, kFloat * kTeacherMaps * slice * largest_activation(teacher->facts.summary));
  estimate.fixed_bytes = bytes_beside_weights(run) + rehearsal->kept_bytes + teacher_bytes + kScratch;
  estimate.measured = true;
  return estimate;
}

std::string describe(const RunEstimate& e) {
  std::string text =
      fmt::format("memory about {} of {} free, {:.2g} s a step, about {} for {} steps", gibibytes(e.bytes()),
                  gibibytes(e.free_bytes), e.step_seconds, duration(e.seconds()), e.steps);
  if (e.teacher_seconds > 0)
    text += fmt::format(", {} of it for the teacher's answers", duration(e.teacher_seconds));
  return text;
}

void refuse_what_cannot_fit(const Run& run, const RunEstimate& e) {
  if (!e.measured || e.fits() || !run.config.train.check_memory) return;
  const Rehearsal rehearsal = run.task->rehearsal().value();
  const double room = e.free_bytes - e.fixed_bytes;
  std::string advice;
  const auto micro = static_cast<std::int64_t>(room / e.sample_bytes);
  if (room > 0 && micro >= 1 && !keeps_whole_steps(run)) {
    const auto power = std::int64_t{1} << static_cast<int>(std::log2(static_cast<double>(micro)));
    advice += fmt::format("; train.micro_batch_size={} fits and gives the same update", power);
  }
  if (room > 0) {
    const double share = room / (e.sample_bytes * static_cast<double>(e.micro_batch));
    if (const std::string smaller = rehearsal.smaller(share); !smaller.empty())
      advice += "; so does " + smaller;
  }
  if (room <= 0)
    advice = fmt::format(
        "; {} of it are kept and prepared pictures (data.cache_mb, train.batch_size), the "
        "teacher and the optimizer",
        gibibytes(e.fixed_bytes));
  fail(ExitCode::out_of_memory,
       "memory: {} {} at once need about {}, {} are free{}; train.check_memory=false starts all the same",
       e.micro_batch, rehearsal.samples, gibibytes(e.bytes()), gibibytes(e.free_bytes), advice);
}

}  // namespace mgd
