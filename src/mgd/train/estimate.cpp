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
#include "mgd/train/teacher_forward.h"

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
    watch(run.teacher.get());
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

at::Tensor noise_for(const Run& run, const EvalOptions& eval, std::int64_t samples) {
  const at::Tensor pictures =
      at::randn({samples, run.image->train().channels(), eval.height, eval.width}, at::kFloat).to(run.device);
  return run.config.train.channels_last ? pictures.contiguous(at::MemoryFormat::ChannelsLast) : pictures;
}

Batch noise(const Run& run, std::int64_t samples) {
  Batch batch;
  batch.input = noise_for(run, run.image->eval_options(), samples);
  if (run.image->teacher_sees_another_size())
    batch.teacher_input = noise_for(run, run.image->teacher_eval_options(), samples);
  batch.target = at::zeros({samples}, at::TensorOptions().dtype(at::kLong)).to(run.device);
  batch.sample_ids.resize(static_cast<std::size_t>(samples));
  std::iota(batch.sample_ids.begin(), batch.sample_ids.end(), 0);
  return batch;
}

// What the teacher would say, without asking it.
Record silent_teacher(const Run& run, std::int64_t samples) {
  Record output;
  if (!run.has_teacher()) return output;
  output.logits = at::zeros({samples, run.teacher_classes}, at::kFloat).to(run.device);
  const NodeInfos nodes = run.teacher_summary.node_infos();
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->teacher_taps()) {
      std::vector<std::int64_t> shape = nodes.at(tap).sizes;
      shape.insert(shape.begin(), samples);
      output.nodes[tap] = {.data = at::randn(shape, at::kFloat).to(run.device), .axes = nodes.at(tap).axes};
    }
  return output;
}

// The student's pass there and back, with an answer of the teacher that costs nothing.
Probe try_out(Run& run, std::int64_t samples) {
  StepBatches batches;
  batches.micro.push_back(noise(run, samples));
  StepOutput output;
  output.batch = batches.micro.front();
  const std::uint64_t before = allocator_stats().live_bytes;
  restart_allocator_peak();
  const double start = now_seconds();
  output.teacher = silent_teacher(run, samples);
  const StepPlan plan = plan_step(run, batches, 0);
  StepResult result;
  output.student = student_forward(run, output.batch, 0, plan.node_keep[0]);
  const at::Tensor loss = distill_loss(run, plan, 0, output, result);
  if (loss.defined() && loss.requires_grad()) loss.backward();
  return {.bytes = static_cast<double>(allocator_stats().peak_live_bytes - before),
          .seconds = now_seconds() - start};
}

// Of one picture in a slice of the usual size; the first pass only warms up.
double teacher_seconds(Run& run) {
  teacher_forward(run, noise(run, 1));
  const double start = now_seconds();
  teacher_forward(run, noise(run, 1));
  return (now_seconds() - start) / static_cast<double>(teacher_slice(run));
}

// Of a cache that is being filled; 0 without one.
double answers_missing(const Run& run) {
  if (!run.teacher_cache) return 0;
  std::size_t missing = 0;
  for (std::int64_t view = 0; view < run.task->num_views(); ++view)
    missing += run.teacher_cache->missing_samples(view).size();
  return static_cast<double>(missing);
}

// Weights have gradients, moments, perhaps an average, and a copy of the best.
double bytes_beside_weights(const Run& run) {
  double parameters = 0;
  for (const auto& entry : run.trainable()) parameters += static_cast<double>(entry.tensor.numel());
  const TrainConfig& train = run.config.train;
  return kFloat * parameters * (3 + (train.optimizer == "adamw" ? 1 : 0) + (train.ema_decay > 0 ? 1 : 0));
}

double bytes_of_pictures(const Run& run) {
  const EvalOptions eval = run.image->eval_options();
  const double input = static_cast<double>(run.image->train().channels() * eval.height * eval.width);
  constexpr double kKeptTimes = 6;  // sides up to twice those of the input, and proportions
  const double kept = std::min(static_cast<double>(run.config.data.cache_mb) * (1 << 20),
                               kKeptTimes * input * static_cast<double>(run.task->num_samples()));
  constexpr double kPrefetchedSteps = 4;
  return kept + kPrefetchedSteps * kFloat * input * static_cast<double>(run.config.train.batch_size);
}

bool too_small(const Run& run, std::int64_t micro) {
  const double samples =
      static_cast<double>(run.total_steps) * static_cast<double>(run.config.train.batch_size);
  const double macs = kBackward * static_cast<double>(run.student_summary.macs) +
                      static_cast<double>(run.teacher_summary.macs);
  const double bytes =
      kFloat * 2 * static_cast<double>(micro) * all_activations(run.student_summary) + bytes_of_pictures(run);
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
  if (run.image == nullptr || run.head_features || !run.device.is_cpu() || !caching_allocator_in_use())
    return estimate;
  if (!always && too_small(run, micro)) return estimate;
  estimate.free_bytes = static_cast<double>(free_memory_bytes());
  const Traces traces(run);
  auto cache = std::move(run.teacher_cache);  // noise has no place there
  // Two sizes, whose difference is that of their samples; the time is that of a pass that is warm.
  constexpr double kSamplesTried = 5;  // in the unit of the smaller size
  const double macs = std::max(1.0, static_cast<double>(run.student_summary.macs));
  const double most = kMeasuredMacs / (kBackward * macs * kSamplesTried);
  const std::int64_t fewest = std::min(micro, fewest_samples(run));
  const auto less =
      std::min<std::int64_t>(std::clamp<std::int64_t>(static_cast<std::int64_t>(most), fewest, 4),
                             std::max<std::int64_t>(fewest, micro / 2));
  const std::int64_t more = std::min(micro, 2 * less);
  const Probe one = try_out(run, less);
  const Probe two = try_out(run, more);
  const double student_seconds = try_out(run, more).seconds / static_cast<double>(more);
  const auto slice = static_cast<double>(teacher_slice(run));
  const auto teacher_macs = static_cast<double>(run.teacher_summary.macs);
  double answer_seconds = 0;
  if (run.teacher)
    answer_seconds = teacher_macs * slice <= kMeasuredMacs
                         ? teacher_seconds(run)
                         : student_seconds * teacher_macs / (kBackward * macs);
  run.teacher_cache = std::move(cache);
  const auto batch = static_cast<double>(run.config.train.batch_size);
  estimate.step_seconds = batch * (student_seconds + (run.teacher_cache ? 0 : answer_seconds));
  estimate.teacher_seconds =
      answer_seconds * std::min(answers_missing(run), batch * static_cast<double>(run.total_steps));
  estimate.sample_bytes = more > less
                              ? std::max(0.0, two.bytes - one.bytes) / static_cast<double>(more - less)
                              : two.bytes / static_cast<double>(more);
  constexpr double kTeacherMaps = 3, kScratch = 256.0 * (1 << 20);  // buffers of threads and libraries
  const double teacher_bytes =
      run.has_teacher() ? kFloat * kTeacherMaps * slice * largest_activation(run.teacher_summary) : 0;
  estimate.fixed_bytes = bytes_beside_weights(run) + bytes_of_pictures(run) + teacher_bytes + kScratch;
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
  const EvalOptions eval = run.image->eval_options();
  const double room = e.free_bytes - e.fixed_bytes;
  std::string advice;
  const auto micro = static_cast<std::int64_t>(room / e.sample_bytes);
  if (room > 0 && micro >= 1 && !keeps_whole_steps(run)) {
    const auto power = std::int64_t{1} << static_cast<int>(std::log2(static_cast<double>(micro)));
    advice += fmt::format("; train.micro_batch_size={} fits and gives the same update", power);
  }
  if (room > 0) {
    constexpr std::int64_t kStep = 32;  // strides of the usual networks
    const double shrink = std::sqrt(room / (e.sample_bytes * static_cast<double>(e.micro_batch)));
    const auto side =
        static_cast<std::int64_t>(shrink * static_cast<double>(std::min(eval.height, eval.width)));
    if (side >= kStep) advice += fmt::format("; so does data.image_size={}", side / kStep * kStep);
  }
  if (room <= 0)
    advice = fmt::format(
        "; {} of it are kept and prepared pictures (data.cache_mb, train.batch_size), the "
        "teacher and the optimizer",
        gibibytes(e.fixed_bytes));
  fail(ExitCode::out_of_memory,
       "memory: {} pictures of {} x {} at once need about {}, {} are free{}; train.check_memory=false starts "
       "all "
       "the same",
       e.micro_batch, eval.height, eval.width, gibibytes(e.bytes()), gibibytes(e.free_bytes), advice);
}

}  // namespace mgd
