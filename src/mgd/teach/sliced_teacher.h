// A teacher of pictures that looks at a few of them at a time, always as many: on the CPU the activations of
// a slice stay in its caches, and since a sample's bits depend on the size of the pass alone, they are the
// same whatever else is in the batch, and however large it is.
#pragma once

#include "mgd/teach/teacher.h"

namespace mgd {

class SlicedTeacher final : public Teacher {
 public:
  // `size` >= 1: pictures of a pass. The teacher is in evaluation mode, and reads Batch::input alone.
  SlicedTeacher(std::unique_ptr<Teacher> teacher, std::int64_t size)
      : teacher_(std::move(teacher)), size_(size) {}

  Record answer(const Batch& batch) override;

 private:
  std::unique_ptr<Teacher> teacher_;
  std::int64_t size_;
};

// The size for batches of `batch` pictures on `device`: slices as even as possible, whose largest activation
// stays in the caches of the threads.
std::int64_t slice_size(const ModelSummary& teacher, std::int64_t batch, at::Device device);

}  // namespace mgd
