#include "mgd/train/metrics_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <fstream>
#include <nlohmann/json.hpp>

#include "mgd/core/error.h"
#include "mgd/format/tensorboard.h"

namespace mgd {

struct MetricsLog::Impl {
  fs::path path;
  std::ofstream file;
  std::uint64_t bytes = 0;
  std::unique_ptr<EventWriter> events;
};

MetricsLog::MetricsLog(const fs::path& run_folder, std::uint64_t keep_bytes)
    : impl_(std::make_unique<Impl>()) {
  impl_->path = run_folder / "metrics.jsonl";
  if (fs::exists(impl_->path)) {
    if (fs::file_size(impl_->path) < keep_bytes)
      fail(ExitCode::bad_data, "{}: shorter than the checkpoint says ({} of {} bytes)", impl_->path.string(),
           fs::file_size(impl_->path), keep_bytes);
    fs::resize_file(impl_->path, keep_bytes);
  }
  impl_->bytes = keep_bytes;
  impl_->file.open(impl_->path, std::ios::app | std::ios::binary);
  if (!impl_->file) fail(ExitCode::cannot_create, "{}: cannot be written", impl_->path.string());
  impl_->events = std::make_unique<EventWriter>(run_folder);
}

MetricsLog::~MetricsLog() = default;

void MetricsLog::write(std::int64_t step, std::int64_t epoch, const MetricRow& values) {
  nlohmann::ordered_json row{{"step", step}, {"epoch", epoch}};
  const double wall_time =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  for (const auto& [key, value] : values) {
    row[key] = std::isfinite(value) ? nlohmann::ordered_json(value) : nlohmann::ordered_json(nullptr);
    impl_->events->add_scalar(key, value, step, wall_time);
  }
  const std::string line = row.dump() + "\n";
  impl_->file << line << std::flush;
  impl_->events->flush();
  if (!impl_->file) fail(ExitCode::io, "{}: write failed (disk full?)", impl_->path.string());
  impl_->bytes += line.size();
}

std::uint64_t MetricsLog::bytes() const {
  return impl_->bytes;
}

void MetricsLog::sync() {
  const int fd = ::open(impl_->path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool ok = fd >= 0 && ::fsync(fd) == 0;
  if (fd >= 0) ::close(fd);
  if (!ok) fail(ExitCode::io, "{}: fsync failed", impl_->path.string());
}

}  // namespace mgd
