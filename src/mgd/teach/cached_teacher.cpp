#include "mgd/teach/cached_teacher.h"

#include <algorithm>

namespace mgd {

Record CachedTeacher::answer(const Batch& batch) {
  if (batch.view < 0 || !keeps_) return teacher_->answer(batch);
  TeacherCache::Lookup lookup = cache_.look_up(batch);
  if (!lookup.missing.empty()) {
    // Pictures know nothing of each other. The last bits of what is said of a text may depend on the texts
    // beside it, so they are those of this batch, whichever of them a run that was killed had kept before.
    const Batch asked = cache_.ragged() ? batch : select_samples(batch, lookup.missing);
    cache_.fill_in(batch, lookup, asked, teacher_->answer(asked));
  }
  return record_to(std::move(lookup.output), device_);
}

std::int64_t CachedTeacher::complete(BatchStream& samples, std::int64_t num_views, std::int64_t at_once) {
  std::int64_t added = 0;
  if (cache_.ragged()) at_once = 1;
  for (std::int64_t view = 0; view < num_views; ++view) {
    const std::vector<std::int64_t> missing = cache_.missing_samples(view);
    for (std::size_t first = 0; first < missing.size(); first += static_cast<std::size_t>(at_once)) {
      const std::size_t end = std::min(first + static_cast<std::size_t>(at_once), missing.size());
      // A corrupt sample is replaced by another. Its own record is then asked for by nobody, and filled all
      // the same: the file would never be complete.
      answer(batch_to(numbered_samples(samples, view, {missing.data() + first, end - first}), device_));
      added += static_cast<std::int64_t>(end - first);
    }
  }
  return added;
}

}  // namespace mgd
