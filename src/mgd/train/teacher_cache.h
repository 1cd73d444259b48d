// The teacher's outputs on disk, so that it runs once for each (sample, augmentation view) and not once an
// epoch.
//
// One memory-mapped file a tensor (logits, each tap), named after a hash of everything the tensor depends on:
// teacher weights, data, augmentation, normalisation, input size, views, precision. A wrong teacher or other
// data therefore never meets an old file. Every record carries its checksum; a record that is missing or
// damaged is computed again. Several runs may share the files.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "mgd/core/file.h"
#include "mgd/types/batch.h"

namespace mgd {

// Fixed-size float records in one mapped file.
class RecordFile {
 public:
  // Creates the file at its full size at once. Throws Error(io) with the bytes needed and free when the disk
  // cannot hold it, Error(cannot_create) when the folder cannot be written.
  RecordFile(const fs::path& path, std::int64_t num_records, std::int64_t floats_per_record);
  ~RecordFile();
  RecordFile(const RecordFile&) = delete;
  RecordFile& operator=(const RecordFile&) = delete;

  enum class State { missing, damaged, good };
  State read(std::int64_t record, float* out) const;
  void write(std::int64_t record, const float* values);

 private:
  char* record_at(std::int64_t record) const;
  std::int64_t num_records_, floats_;
  std::size_t bytes_ = 0;
  char* data_ = nullptr;
};

struct TeacherCacheOptions {
  fs::path folder;
  std::string identity;  // everything the outputs depend on, besides the tensor's name
  std::int64_t num_samples = 0, num_views = 1;
  TapShapes tensors;  // "logits" and taps -> shape of one sample
};

class TeacherCache {
 public:
  explicit TeacherCache(const TeacherCacheOptions& options);

  // Outputs for the samples in this view, (B, ...) float on the CPU, maps channels-last. The rows of samples
  // that are not there, or damaged, are not to be read: `missing` has their places in the batch.
  struct Loaded {
    ModelOutput output;
    std::vector<std::int64_t> missing;
  };
  Loaded load(std::int64_t view, const std::vector<std::int64_t>& sample_ids);
  void store(std::int64_t view, const std::vector<std::int64_t>& sample_ids, const ModelOutput& output);

  // Once a process: what was kept against what the teacher says of the same batch now. Hashes cannot know of
  // a changed decoder or augmentation; this does. Throws Error(bad_data) naming the folder.
  bool verified() const { return verified_; }
  void verify(const ModelOutput& kept, const ModelOutput& live);

  std::int64_t hits() const { return hits_; }  // samples
  std::int64_t misses() const { return misses_; }
  std::int64_t damaged() const { return damaged_; }  // records whose checksum failed

 private:
  struct Tensor {
    std::string name;
    TapShape shape;
    std::unique_ptr<RecordFile> file;
  };
  fs::path folder_;
  std::int64_t num_samples_;
  std::vector<Tensor> tensors_;
  bool verified_ = false;
  std::int64_t hits_ = 0, misses_ = 0, damaged_ = 0;
};

}  // namespace mgd
