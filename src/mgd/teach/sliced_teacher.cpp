#include "mgd/teach/sliced_teacher.h"

#include <ATen/Parallel.h>
#include <ATen/ops/cat.h>

#include <algorithm>
#include <functional>
#include <numeric>

#include "mgd/teach/even_slices.h"

namespace mgd {

Record SlicedTeacher::answer(const Batch& batch) {
  Record record;
  std::vector<at::Tensor> logits;
  std::map<std::string, std::vector<at::Tensor>> nodes;
  std::int64_t first = 0;
  for (const at::Tensor& piece : batch.input.split(size_)) {
    Batch slice;
    slice.input = filled_up(piece, size_);
    for (std::int64_t i = 0; i < size_ && !batch.sample_ids.empty(); ++i)
      slice.sample_ids.push_back(
          batch.sample_ids.at(static_cast<std::size_t>(first + std::min(i, piece.size(0) - 1))));
    slice.names = batch.names;
    first += piece.size(0);
    const Record part = teacher_->answer(slice);
    logits.push_back(part.logits.narrow(0, 0, piece.size(0)));
    for (const auto& [name, node] : part.nodes) nodes[name].push_back(node.data.narrow(0, 0, piece.size(0)));
    if (record.nodes.empty()) record.nodes = part.nodes;  // their axes
  }
  const auto joined = [&](const std::vector<at::Tensor>& parts) {
    return parts.size() == 1 ? parts.front() : at::cat(parts);
  };
  record.logits = joined(logits);
  for (const auto& [name, parts] : nodes) record.nodes[name].data = joined(parts);
  return record;
}

std::int64_t slice_size(const ModelSummary& teacher, std::int64_t batch, at::Device device) {
  if (!device.is_cpu()) return batch;
  constexpr std::int64_t kFloats = 1 << 20,
                         kFewest = 16;  // of the largest activation, a thread; samples of a slice
  std::int64_t largest = 1;
  for (const auto& node : teacher.nodes)
    largest = std::max(
        largest, std::accumulate(node.shape.begin(), node.shape.end(), std::int64_t{1}, std::multiplies<>()));
  const std::int64_t most = std::max(kFewest, kFloats * at::get_num_threads() / largest);
  const std::int64_t slices = (batch + most - 1) / most;
  return (batch + slices - 1) / slices;
}

}  // namespace mgd
