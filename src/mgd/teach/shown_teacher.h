// A teacher of pictures of a size of its own: it sees the same parts of the same pictures as the student.
#pragma once

#include <functional>
#include <memory>

#include "mgd/data/batch_stream.h"
#include "mgd/teach/teacher.h"

namespace mgd {

class ShownTeacher final : public Teacher {
 public:
  // `samples` gives the pictures of the teacher's size, one at a time and in order; opened when it is first
  // needed: a batch that carries them (Batch::teacher_input) needs none.
  ShownTeacher(std::unique_ptr<Teacher> teacher, std::function<std::unique_ptr<BatchStream>()> samples,
               at::Device device)
      : teacher_(std::move(teacher)), open_(std::move(samples)), device_(device) {}

  Record answer(const Batch& batch) override;

 private:
  std::unique_ptr<Teacher> teacher_;
  std::function<std::unique_ptr<BatchStream>()> open_;
  std::unique_ptr<BatchStream> samples_;
  at::Device device_;
};

}  // namespace mgd
