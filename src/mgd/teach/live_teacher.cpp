#include "mgd/teach/live_teacher.h"

#include <ATen/core/grad_mode.h>

#include "mgd/nn/autocast.h"

namespace mgd {

LiveTeacher::LiveTeacher(std::unique_ptr<Model> model, Open open, bool channels_last, TeacherPass pass)
    : model_(std::move(model)),
      open_(std::move(open)),
      channels_last_(channels_last),
      pass_(std::move(pass)) {
  if (model_) settle();
}

void LiveTeacher::settle() {
  model_->set_requires_grad(false);
  model_->to(pass_.device);
  if (channels_last_) model_->to_channels_last();
}

Model& LiveTeacher::model() {
  if (!model_) {
    model_ = open_();
    settle();
  }
  return *model_;
}

Record LiveTeacher::answer(const Batch& batch) {
  Model& teacher = model();
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(pass_.bf16, pass_.device);
  Forward forward(pass_.training_mode);
  forward.use_winograd(pass_.winograd);
  forward.skip_hidden(pass_.skip_hidden);
  for (const std::string& tap : pass_.taps) forward.capture(tap);
  return teacher.run(batch, forward);
}

}  // namespace mgd
