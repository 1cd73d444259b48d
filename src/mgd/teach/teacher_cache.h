// The teacher's outputs on disk, so that it runs once for each (sample, augmentation view) and not once an
// epoch; once all of them are there it is not even loaded.
//
// One file of records (core/record_file.h), which says in its head what it depends on: teacher,
// data, augmentation, normalisation, input size, views, precision. A file that says something else is
// refused. Each record also carries the checksum of the picture or text that the teacher saw, because facts
// cannot know of a changed decoder or augmentation. What is missing, damaged or of another sample is computed
// again. Several runs may share a file.
//
// The student always gets what the file gives back, in the step that fills it too: with bf16, int8 or top_k a
// run that is killed and resumed then still sees the same targets.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "mgd/core/record_file.h"
#include "mgd/teach/target_layout.h"

namespace mgd {

struct TeacherCacheOptions {
  TeacherCacheConfig config;                 // config.path is not ""
  std::map<std::string, std::string> facts;  // everything the outputs depend on, for a readable difference
  std::int64_t num_samples = 0, num_views = 1;
  KeptAnswers kept;
  // What each (view, sample) has, views one after the other; empty: each is a picture.
  std::vector<SampleShape> shapes = {};
};

class TeacherCache {
 public:
  // Opens the file when it is there. Throws Error(usage) when it was made with other facts (each with both
  // values) or would be larger than config.limit_mb (with what makes it smaller), and like RecordFile::open.
  explicit TeacherCache(TeacherCacheOptions options);

  // Makes the file unless it is there. Throws like RecordFile::create, and Error(cannot_create) for one that
  // is not complete and may not be written.
  void create();

  const fs::path& path() const { return path_; }
  std::uint64_t bytes() const { return bytes_; }
  std::string describe() const;  // "/c/x.cache: 1.2 GiB, 45000 samples x 2 views, fp32 features; complete"
  // What was found damaged when the file was opened; "" = nothing.
  const std::string& damage() const { return damage_; }
  bool exact() const { return layout_.exact(); }
  bool ragged() const { return layout_.ragged(); }
  bool complete() const;  // every record was written

  struct Lookup {
    SamplePlaces places;                // of the batch
    Record output;                      // float on the CPU
    std::vector<std::int64_t> missing;  // places in the batch whose rows are not set
    std::vector<std::uint64_t> keys;    // checksums of the B samples
  };
  // Of batch.sample_ids in batch.view.
  Lookup look_up(const Batch& batch);
  // What the teacher says of `asked`, which holds the samples at lookup.missing, in their order, or the whole
  // batch: what is missing is kept, and set in lookup.output.
  void fill_in(const Batch& batch, Lookup& lookup, const Batch& asked, const Record& live);
  std::vector<std::int64_t> missing_samples(std::int64_t view) const;

  // What runs have learned of the teacher (train/teacher_note.h), kept for those that do not load it.
  std::string note() const;
  void set_note(const std::string& note);

  std::int64_t hits() const { return hits_; }  // samples
  std::int64_t misses() const { return misses_; }
  std::int64_t damaged() const { return damaged_; }  // records whose checksum failed
  std::int64_t stale() const { return stale_; }      // records of another picture

 private:
  std::int64_t record_of(std::int64_t view, std::int64_t sample) const {
    return view * num_samples_ + sample;
  }
  void adopt(RecordFile file);
  void require_limit(std::int64_t limit_mb, const TeacherCacheOptions& options) const;
  static RecordShape shape_of(const TargetLayout& layout, const TeacherCacheOptions& options);

  const TargetLayout layout_;
  const std::int64_t num_samples_, num_views_;
  const std::string encoding_;  // "bf16 features, top 5 logits"
  const std::string text_;      // of the file's head: the facts as JSON
  const RecordShape shape_;
  fs::path path_;
  std::uint64_t bytes_ = 0;
  std::optional<RecordFile> file_;
  std::string damage_, note_;
  std::int64_t hits_ = 0, misses_ = 0, damaged_ = 0, stale_ = 0;
};

}  // namespace mgd
