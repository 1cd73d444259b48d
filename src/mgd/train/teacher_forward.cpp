#include "mgd/train/teacher_forward.h"

#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"
#include "mgd/train/even_slices.h"

namespace mgd {

namespace {

Record run_teacher(Run& run, const Batch& batch) {
  Forward forward(run.config.train.teacher_norm == "batch");
  forward.use_winograd(run.config.train.winograd);
  forward.skip_hidden(run.config.train.skip_hidden);
  for (const auto& active : run.losses)
    for (const auto& tap : active.loss->teacher_taps()) forward.capture(tap);
  return run.teacher->run(batch, forward);
}

Record in_slices(Run& run, const at::Tensor& pictures) {
  const std::int64_t size = teacher_slice(run), count = pictures.size(0);
  Record record;
  std::vector<at::Tensor> logits;
  std::map<std::string, std::vector<at::Tensor>> nodes;
  for (const at::Tensor& piece : pictures.split(size)) {
    Batch slice;
    slice.input = filled_up(piece, size);
    const Record part = run_teacher(run, slice);
    logits.push_back(part.logits.narrow(0, 0, piece.size(0)));
    for (const auto& [name, node] : part.nodes) nodes[name].push_back(node.data.narrow(0, 0, piece.size(0)));
    if (record.nodes.empty()) record.nodes = part.nodes;  // their axes
  }
  const auto joined = [&](const std::vector<at::Tensor>& parts) {
    return count <= size ? parts.front() : at::cat(parts);
  };
  record.logits = joined(logits);
  for (const auto& [name, parts] : nodes) record.nodes[name].data = joined(parts);
  return record;
}

// One sample after the other, in this order: (B, C, Y, X) on the CPU.
at::Tensor pictures_from(BatchStream& stream, std::int64_t view, const std::vector<std::int64_t>& samples) {
  std::vector<at::Tensor> pictures;
  for (const std::int64_t sample : samples) {
    stream.seek(view, sample);
    pictures.push_back(stream.next().micro.front().input);
  }
  return at::cat(pictures).contiguous(pictures.front().suggest_memory_format());
}

// (B, C, Y, X) of the teacher's size.
at::Tensor as_teacher_sees(Run& run, const Batch& batch) {
  if (batch.teacher_input.defined()) return batch.teacher_input;
  if (!run.image->teacher_sees_another_size()) return batch.input;
  MGD_ASSERT(batch.view >= 0);
  if (!run.teacher_stream) run.teacher_stream = run.image->teacher_stream();
  return pictures_from(*run.teacher_stream, batch.view, batch.sample_ids).to(run.device);
}

Record live_teacher(Run& run, const Batch& batch) {
  load_teacher(run);
  at::NoGradGuard no_grad;
  AutocastGuard autocast(run.bf16(), run.device);
  if (run.image == nullptr) return run_teacher(run, batch);
  Batch shown;
  shown.input = as_teacher_sees(run, batch);
  return run.config.train.teacher_norm == "eval" ? in_slices(run, shown.input) : run_teacher(run, shown);
}

Record on_device(Record output, at::Device device) {
  output.logits = output.logits.to(device);
  for (auto& [name, node] : output.nodes) node.data = node.data.to(device);
  return output;
}

Batch picked(const Batch& batch, const std::vector<std::int64_t>& places) {
  const at::Tensor index = at::tensor(places, at::TensorOptions().dtype(at::kLong)).to(batch.input.device());
  Batch part;
  part.view = batch.view;
  for (const std::int64_t place : places)
    part.sample_ids.push_back(batch.sample_ids[static_cast<std::size_t>(place)]);
  part.input = batch.input.index_select(0, index).contiguous(batch.input.suggest_memory_format());
  return part;
}

}  // namespace

// Pictures of one pass. In evaluation mode they know nothing of each other, and on the CPU activations of a
// few megabytes stay in its caches.
std::int64_t teacher_slice(const Run& run) {
  const TrainConfig& train = run.config.train;
  const std::int64_t batch = train.micro_batch_size > 0 ? train.micro_batch_size : train.batch_size;
  if (!run.device.is_cpu()) return batch;
  constexpr std::int64_t kFloats = 1 << 20,
                         kFewest = 16;  // of the largest activation, a thread; samples of a slice
  std::int64_t largest = 1;
  for (const auto& node : run.teacher_summary.nodes)
    largest = std::max(
        largest, std::accumulate(node.shape.begin(), node.shape.end(), std::int64_t{1}, std::multiplies<>()));
  const std::int64_t most = std::max(kFewest, kFloats * at::get_num_threads() / largest);
  const std::int64_t slices = (batch + most - 1) / most;
  return (batch + slices - 1) / slices;
}

Record teacher_forward(Run& run, const Batch& batch) {
  if (!run.has_teacher()) return {};
  if (!run.teacher_cache || batch.view < 0) return live_teacher(run, batch);
  TeacherCache::Lookup lookup = run.teacher_cache->look_up(batch);
  if (!lookup.missing.empty())
    run.teacher_cache->fill_in(batch, lookup, live_teacher(run, picked(batch, lookup.missing)));
  return on_device(std::move(lookup.output), run.device);
}

std::int64_t complete_teacher_cache(Run& run) {
  MGD_ASSERT(run.teacher_cache && run.image);
  const auto stream = run.image->sample_stream();
  const auto most = static_cast<std::size_t>(teacher_slice(run));
  std::int64_t added = 0;
  for (std::int64_t view = 0; view < run.task->num_views(); ++view) {
    const std::vector<std::int64_t> samples = run.teacher_cache->missing_samples(view);
    for (std::size_t first = 0; first < samples.size(); first += most) {
      const std::size_t end = std::min(first + most, samples.size());
      Batch batch;
      batch.view = view;
      batch.sample_ids.assign(samples.begin() + static_cast<std::ptrdiff_t>(first),
                              samples.begin() + static_cast<std::ptrdiff_t>(end));
      // A corrupt sample is replaced by another. Its own record is then asked for by nobody, and filled all
      // the same: the file would never be complete.
      batch.input = pictures_from(*stream, view, batch.sample_ids).to(run.device);
      teacher_forward(run, batch);
      added += batch.size();
    }
  }
  return added;
}

}  // namespace mgd
