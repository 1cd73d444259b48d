// The teacher's model, which runs on every batch that it is asked about.
#pragma once

#include <functional>
#include <memory>

#include "mgd/teach/teacher.h"

namespace mgd {

class LiveTeacher final : public Teacher {
 public:
  using Open = std::function<std::unique_ptr<Model>()>;
  // `model` may be null: it is then opened when it is first needed. `channels_last`: the order of memory of
  // its weights.
  LiveTeacher(std::unique_ptr<Model> model, Open open, bool channels_last, TeacherPass pass);

  bool loaded() const { return model_ != nullptr; }
  Model& model();                  // opens it unless it is there
  void drop() { model_.reset(); }  // until it is asked again

  Record answer(const Batch& batch) override;

 private:
  void settle();

  std::unique_ptr<Model> model_;
  Open open_;
  bool channels_last_;
  TeacherPass pass_;
};

}  // namespace mgd
