#include "mgd/teach/shown_teacher.h"

#include "mgd/core/error.h"

namespace mgd {

Record ShownTeacher::answer(const Batch& batch) {
  Batch shown;
  shown.input = batch.teacher_input;
  if (!shown.input.defined()) {
    MGD_ASSERT(batch.view >= 0);
    if (!samples_) samples_ = open_();
    shown.input = numbered_samples(*samples_, batch.view, batch.sample_ids).input.to(device_);
  }
  shown.sample_ids = batch.sample_ids;
  shown.names = batch.names;
  return teacher_->answer(shown);
}

}  // namespace mgd
