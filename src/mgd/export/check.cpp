#include "mgd/export/check.h"

#include <ATen/ops/argmax.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/export/image_graph.h"

namespace mgd {

std::int64_t Samples::size() const {
  std::int64_t size = 0;
  for (const at::Tensor& batch : pictures) size += batch.size(0);
  return size;
}

Agreement agreement(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected) {
  MGD_ASSERT(got.size() == expected.size());
  Agreement result;
  for (std::size_t i = 0; i < got.size(); ++i) {
    if (got[i].sizes() != expected[i].sizes())
      fail(ExitCode::internal, "export: the file gives {} x {} logits, the model {} x {}", got[i].size(0),
           got[i].size(-1), expected[i].size(0), expected[i].size(1));
    result.difference = std::max(result.difference, relative_difference(got[i], expected[i]));
    result.samples += got[i].size(0);
    result.same += got[i].argmax(1).eq(expected[i].argmax(1)).sum().item<std::int64_t>();
  }
  return result;
}

double accuracy_of(const std::vector<at::Tensor>& logits, const std::vector<std::int64_t>& labels) {
  MGD_ASSERT(!labels.empty());
  std::size_t right = 0, i = 0;
  for (const at::Tensor& batch : logits) {
    const at::Tensor classes = batch.argmax(1).contiguous();
    for (std::int64_t b = 0; b < classes.size(0); ++b, ++i)
      right += classes.const_data_ptr<std::int64_t>()[b] == labels.at(i) ? 1 : 0;
  }
  MGD_ASSERT(i == labels.size());
  return static_cast<double>(right) / static_cast<double>(labels.size());
}

RuntimeAnswers answers_of(const OnnxRuntime& runtime, const fs::path& file,
                          const std::vector<at::Tensor>& batches, int threads) {
  constexpr std::size_t kMostBytes = std::size_t{256} << 20;  // on the disk at one time
  RuntimeAnswers all;
  for (std::size_t begin = 0; begin < batches.size();) {
    std::size_t end = begin, bytes = 0;
    while (end < batches.size() && (end == begin || bytes + batches[end].nbytes() <= kMostBytes))
      bytes += batches[end++].nbytes();
    auto part = runtime.run(file,
                            {batches.begin() + static_cast<std::ptrdiff_t>(begin),
                             batches.begin() + static_cast<std::ptrdiff_t>(end)},
                            threads);
    all.outputs.insert(all.outputs.end(), part.outputs.begin(), part.outputs.end());
    if (begin == 0) all.latency_ms = part.latency_ms;
    begin = end;
  }
  return all;
}

}  // namespace mgd
