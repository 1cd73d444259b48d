#include "mgd/train/teacher_cache.h"

#include <ATen/ops/empty.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <cerrno>
#include <cstring>
#include <functional>
#include <numeric>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Before the floats of a record: whether it was ever written, and the checksum of its bytes.
struct RecordHead {
  std::uint32_t written;
  std::uint32_t checksum;
};
constexpr std::uint32_t kWritten = 0x4d474431;  // any constant but 0, the content of a fresh file

std::uint32_t checksum(const char* bytes, std::size_t size) {
  return static_cast<std::uint32_t>(crc32_z(0, reinterpret_cast<const Bytef*>(bytes), size));
}

std::int64_t numel(const TapShape& shape) {
  return std::accumulate(shape.begin(), shape.end(), std::int64_t{1}, std::multiplies<>());
}

// As the models have them, so that a sample is one stretch of memory in the order in which it is used.
at::MemoryFormat layout_of(std::size_t dimensions) {
  return dimensions == 4 ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
}

}  // namespace

RecordFile::RecordFile(const fs::path& path, std::int64_t num_records, std::int64_t floats_per_record)
    : num_records_(num_records), floats_(floats_per_record) {
  const auto record_bytes = sizeof(RecordHead) + static_cast<std::size_t>(floats_) * sizeof(float);
  bytes_ = static_cast<std::size_t>(num_records_) * record_bytes;
  std::error_code error;
  fs::create_directories(path.parent_path(), error);
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0) fail(ExitCode::cannot_create, "teacher cache {}: {}", path.string(), std::strerror(errno));
  // Reserved at once: writing through the map into a hole of a full disk would kill the process.
  const int status = bytes_ > 0 ? ::posix_fallocate(fd, 0, static_cast<off_t>(bytes_)) : 0;
  struct stat info {};
  ::fstat(fd, &info);
  if (status != 0 || static_cast<std::size_t>(info.st_size) < bytes_) {
    ::close(fd);
    const auto space = fs::space(path.parent_path(), error);
    fail(ExitCode::io,
         "teacher cache {}: {} bytes needed, {} free ({}); give another folder in train.teacher_cache or "
         "fewer data.views",
         path.string(), bytes_, error ? 0 : space.available, std::strerror(status));
  }
  void* map = ::mmap(nullptr, std::max<std::size_t>(bytes_, 1), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  ::close(fd);
  if (map == MAP_FAILED) fail(ExitCode::io, "teacher cache {}: {}", path.string(), std::strerror(errno));
  data_ = static_cast<char*>(map);
}

RecordFile::~RecordFile() {
  ::munmap(data_, std::max<std::size_t>(bytes_, 1));
}

char* RecordFile::record_at(std::int64_t record) const {
  MGD_ASSERT(record >= 0 && record < num_records_);
  const auto record_bytes = sizeof(RecordHead) + static_cast<std::size_t>(floats_) * sizeof(float);
  return data_ + static_cast<std::size_t>(record) * record_bytes;
}

RecordFile::State RecordFile::read(std::int64_t record, float* out) const {
  const char* bytes = record_at(record);
  RecordHead head{};
  std::memcpy(&head, bytes, sizeof head);
  if (head.written == 0) return State::missing;
  const std::size_t size = static_cast<std::size_t>(floats_) * sizeof(float);
  std::memcpy(out, bytes + sizeof head, size);
  // The copy is checked, not the map: another process may be writing this record.
  const bool good =
      head.written == kWritten && head.checksum == checksum(reinterpret_cast<const char*>(out), size);
  return good ? State::good : State::damaged;
}

void RecordFile::write(std::int64_t record, const float* values) {
  char* bytes = record_at(record);
  const std::size_t size = static_cast<std::size_t>(floats_) * sizeof(float);
  const RecordHead head{kWritten, checksum(reinterpret_cast<const char*>(values), size)};
  std::memcpy(bytes + sizeof head, values, size);
  std::memcpy(bytes, &head, sizeof head);
}

TeacherCache::TeacherCache(const TeacherCacheOptions& options)
    : folder_(options.folder), num_samples_(options.num_samples) {
  for (const auto& [name, shape] : options.tensors) {
    const std::string key =
        sha256_hex(fmt::format("{}\n{} {} channels-last", options.identity, name, numel(shape)))
            .substr(0, 16);
    const fs::path path = options.folder / fmt::format("{}-{}.cache", name, key);
    tensors_.push_back(
        {name, shape,
         std::make_unique<RecordFile>(path, options.num_samples * options.num_views, numel(shape))});
  }
}

TeacherCache::Loaded TeacherCache::load(std::int64_t view, const std::vector<std::int64_t>& ids) {
  const auto batch = static_cast<std::int64_t>(ids.size());
  Loaded loaded;
  std::vector<bool> good(ids.size(), true);
  for (const Tensor& tensor : tensors_) {
    std::vector<std::int64_t> shape{batch};
    shape.insert(shape.end(), tensor.shape.begin(), tensor.shape.end());
    at::Tensor values = at::empty(shape, at::TensorOptions().dtype(at::kFloat), layout_of(shape.size()));
    float* out = values.mutable_data_ptr<float>();
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto state = tensor.file->read(view * num_samples_ + ids[i], out);
      damaged_ += state == RecordFile::State::damaged ? 1 : 0;
      good[i] = good[i] && state == RecordFile::State::good;
      out += numel(tensor.shape);
    }
    (tensor.name == "logits" ? loaded.output.logits : loaded.output.taps[tensor.name]) = values;
  }
  for (std::size_t i = 0; i < ids.size(); ++i)
    if (!good[i]) loaded.missing.push_back(static_cast<std::int64_t>(i));
  misses_ += static_cast<std::int64_t>(loaded.missing.size());
  hits_ += batch - static_cast<std::int64_t>(loaded.missing.size());
  return loaded;
}

void TeacherCache::store(std::int64_t view, const std::vector<std::int64_t>& ids, const ModelOutput& output) {
  for (const Tensor& tensor : tensors_) {
    const at::Tensor& source = tensor.name == "logits" ? output.logits : output.taps.at(tensor.name);
    const at::Tensor values = source.detach()
                                  .to(at::kCPU, at::kFloat)
                                  .contiguous(layout_of(static_cast<std::size_t>(source.dim())));
    const float* row = values.const_data_ptr<float>();
    for (const auto id : ids) {
      tensor.file->write(view * num_samples_ + id, row);
      row += numel(tensor.shape);
    }
  }
}

void TeacherCache::verify(const ModelOutput& kept, const ModelOutput& live) {
  const auto difference = [](const at::Tensor& a, const at::Tensor& b) {
    const at::Tensor now = b.to(at::kCPU, at::kFloat);
    return a.sub(now).abs().max().item<double>() / std::max(now.abs().max().item<double>(), 1e-30);
  };
  double largest = difference(kept.logits, live.logits);
  for (const auto& [name, tap] : kept.taps) largest = std::max(largest, difference(tap, live.taps.at(name)));
  // bf16 keeps 8 bits; anything beyond a few of its steps is another picture, not rounding.
  if (!(largest < 0.05))
    fail(ExitCode::bad_data,
         "teacher cache {}: what was kept differs from what the teacher says now (by {:.2g} of the largest "
         "value); it was made "
         "from other pictures or by another program; remove the folder",
         folder_.string(), largest);
  verified_ = true;
}

}  // namespace mgd
