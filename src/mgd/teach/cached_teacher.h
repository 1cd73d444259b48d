// A teacher whose answers are kept: what the cache has comes from there, and the rest goes there.
#pragma once

#include <functional>
#include <memory>

#include "mgd/data/batch_stream.h"
#include "mgd/teach/teacher.h"
#include "mgd/teach/teacher_cache.h"

namespace mgd {

class CachedTeacher final : public Teacher {
 public:
  CachedTeacher(std::unique_ptr<Teacher> teacher, TeacherCache& cache, at::Device device)
      : teacher_(std::move(teacher)), cache_(cache), device_(device) {}

  void keep_nothing() { keeps_ = false; }  // from now on, and nothing kept is looked up

  // A batch of no view (Batch::view < 0) never comes again: it is answered and not kept.
  Record answer(const Batch& batch) override;

  // Asks about what no epoch has asked for: each leaves out the samples that fill no batch. `samples` gives
  // them one at a time and in order, `at_once` of them make a batch. Gives the number of samples added.
  std::int64_t complete(BatchStream& samples, std::int64_t num_views, std::int64_t at_once);

 private:
  std::unique_ptr<Teacher> teacher_;
  TeacherCache& cache_;
  at::Device device_;
  bool keeps_ = true;
};

}  // namespace mgd
