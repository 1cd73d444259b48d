// Reads the files of scripts/fixtures/make_losses.py, and builds losses as a recipe would.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "mgd/loss/loss.h"

namespace mgd::test {

using Tensors = std::map<std::string, at::Tensor>;

// The shortest reader of a safetensors file that one trusts; float64, float32, int64 and uint8 only.
Tensors read_fixture(const std::string& name);

// {name: NAME, key: value, ...}, from places that messages can be searched for: the value of the i-th pair
// stands at "test.yaml:1:(i+1)".
Node entry_of(const std::string& name, const std::vector<std::pair<std::string, std::string>>& fields = {});

// A student with "feat" (Cs, Y, X) and a teacher with "feat" (Ct, Y, X), both the default taps, and 10
// classes.
LossContext context_of(std::vector<std::int64_t> student, std::vector<std::int64_t> teacher,
                       std::uint64_t seed = 1);

// The same for a loss that may be of sentence encoders: with the answers that it compares.
LossContext context_for(const std::string& name, std::vector<std::int64_t> student,
                        std::vector<std::int64_t> teacher, std::uint64_t seed = 1);

std::unique_ptr<Loss> make_loss(const Node& entry, const LossContext& context);  // exactly one

// With what the entry is refused, which has to be Error(usage).
std::string message_of(const Node& entry, const LossContext& context);

// Overwrites the blocks of a loss with in/NAME of the fixture, in double or float.
void set_blocks(Loss& loss, const Tensors& inputs, at::ScalarType dtype);

// Everything a LossInput refers to, of B samples with single taps named "feat".
struct Case {
  Batch batch;
  Tensors student, teacher;
  at::Tensor student_logits, teacher_logits, student_embedding, keep;

  // What it refers to is this object's, until the next call.
  LossInput input() const {
    student_record = {.logits = student_logits, .embedding = student_embedding, .nodes = nodes(student)};
    teacher_record = {.logits = teacher_logits, .nodes = nodes(teacher)};
    return {.batch = batch, .student = student_record, .teacher = teacher_record, .keep = keep};
  }
  CountInput count_input() const {
    return {.batch_size = batch.size(), .num_targets = batch.num_targets(), .keep = keep, .batch = &batch};
  }
  // Maps, or rows of the batch's tokens, or vectors, by their dimensions.
  std::map<std::string, Value> nodes(const Tensors& tensors) const;

  mutable Record student_record, teacher_record;
  std::int64_t size() const { return batch.size(); }
};

// In double, `what` must be as near to the fixture as rounding allows; in float, no further than twice the
// worst relative error of the naive float code of the fixture, plus one rounding.
void expect_tensor(const at::Tensor& got, const Tensors& fixture, const std::string& case_name,
                   const std::string& what, at::ScalarType dtype);

// Runs the loss on student features and blocks of `dtype` and compares the sum and every gradient that the
// case holds. The tensor that trains is the student's tap for "student", or the logits when the loss has no
// tap.
void expect_case(Loss& loss, Case inputs, const Tensors& fixture, const std::string& case_name,
                 at::ScalarType dtype);

double scalar(const at::Tensor& value);
at::Tensor drawn(std::vector<std::int64_t> shape, std::uint64_t sample, double scale = 1);  // double, normal

}  // namespace mgd::test
