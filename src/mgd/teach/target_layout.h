// One record of the teacher's cache: what it says of one sample in one view, as bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/format/float_codec.h"
#include "mgd/teach/sample_keys.h"

namespace mgd {

// What of a teacher's answers comes back.
struct KeptAnswers {
  std::int64_t num_classes = 0;     // logits of each sample
  std::int64_t embedding_size = 0;  // of each sequence
  std::int64_t vocabulary = 0;      // scores of each target of a language model, the top_k of them
  double temperature = 1;           // of these scores
  NodeInfos taps = {};
};

class TargetLayout {
 public:
  // Logits are kept in float32, all of them or the top_k; so are scores over a vocabulary, of which there
  // must be a top_k. Throws Error(usage) for a top_k that there is not.
  TargetLayout(const KeptAnswers& kept, const TeacherCacheConfig& config);

  // Whether records differ in size: then sizes must be known of each sample.
  bool ragged() const;
  std::int64_t record_bytes(const SampleShape& shape) const;
  std::string describe() const;  // "logits 10, layer3 64 x 8 x 8"
  bool exact() const;            // what is decoded is what was encoded, bit for bit

  // On the CPU, in float, maps channels-last; rows are not set.
  Record empty_output(const Batch& batch, const SamplePlaces& places) const;
  // Of the sample at `from` of a record, as bytes, and back; tensors as empty_output() makes them. From any
  // thread.
  void encode(const Record& record, const SamplePlaces& places, std::int64_t sample, std::byte* bytes) const;
  void decode(const std::byte* bytes, const SamplePlaces& places, std::int64_t sample, Record& record) const;

  // Detached, on the CPU, in the type and memory order of empty_output(); of a head the top scores.
  Record normalised(const Record& output) const;

 private:
  // What a value belongs to.
  enum class Per { sample, sequence, row, decoder_row, target };
  struct Field {
    std::string name;  // "" of what is not a tap
    NodeInfo info;
    Per per;
    std::size_t floats;  // of one
  };
  static std::int64_t count_of(const SampleShape& shape, Per per);
  static const std::vector<std::int64_t>& places_of(const SamplePlaces& places, Per per);
  static Per per_of(const NodeInfo& info);
  std::size_t score_bytes() const;  // of one target

  // What of a record is a matrix of floats under one code.
  template <class Visit>
  void for_each_matrix(const Visit& visit) const;

  KeptAnswers kept_;
  std::int64_t top_k_;
  FloatCode code_;
  std::vector<Field> taps_;
};

}  // namespace mgd
