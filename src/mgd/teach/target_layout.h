// One record of the teacher's cache: the logits and taps of one sample in one view, as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/format/float_codec.h"
#include "mgd/types/batch.h"

namespace mgd {

class TargetLayout {
 public:
  // `taps` are shapes of one sample. The logits are kept in float32, all of them or the top_k. Throws
  // Error(usage) for a top_k that the classes do not have.
  TargetLayout(std::int64_t num_classes, const NodeInfos& taps, const TeacherCacheConfig& config);

  std::int64_t record_bytes() const { return record_bytes_; }
  std::string describe() const;  // "logits 10, layer3 64 x 8 x 8"
  bool exact() const;            // what is decoded is what was encoded, bit for bit

  // (B, ...) float on the CPU, maps channels-last; rows are not set.
  Record empty_output(std::int64_t batch) const;
  // Tensors as empty_output() makes them. From any thread.
  void encode(const Record& from, std::int64_t row, std::byte* record) const;
  void decode(const std::byte* record, std::int64_t row, Record& to) const;

  // Detached, on the CPU, in the type and memory order of empty_output().
  Record normalised(const Record& output) const;

 private:
  struct Tap {
    std::string name;
    NodeInfo info;
    std::size_t floats;
    std::size_t offset;  // in the record
  };
  std::int64_t num_classes_, top_k_;
  FloatCode code_;
  std::vector<Tap> taps_;
  std::int64_t record_bytes_ = 0;
};

}  // namespace mgd
