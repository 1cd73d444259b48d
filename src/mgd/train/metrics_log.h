// metrics.jsonl and TensorBoard events of a run.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

using MetricRow = std::vector<std::pair<std::string, double>>;  // key -> value, in the order written

class MetricsLog {
 public:
  // Goes on at `keep_bytes` of metrics.jsonl: what a run wrote after its last checkpoint is cut, it will come
  // again.
  MetricsLog(const fs::path& run_folder, std::uint64_t keep_bytes);
  ~MetricsLog();

  // One JSON object: step, epoch, then the values. NaN and inf become null, as JSON has neither.
  void write(std::int64_t step, std::int64_t epoch, const MetricRow& values);
  std::uint64_t bytes() const;
  void sync();  // to the disk: a checkpoint that counts these bytes must not outlive them

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace mgd
