#include "loss/rows_case.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/zeros.h>

namespace mgd::test {

namespace {

NodeInfo rows_of(std::int64_t width) {
  return {.axes = Axes::rows, .sizes = {width}};
}

}  // namespace

LossContext rows_context() {
  LossContext context;
  context.student = {{"feat", rows_of(kStudent)},
                     {"query", rows_of(kStudent)},
                     {"key", rows_of(kStudent)},
                     {"value", rows_of(kStudent)}};
  context.teacher = {{"feat", rows_of(kTeacher)}, {"qkv", rows_of(3 * kTeacher)}};
  context.student_default_tap = context.teacher_default_tap = "feat";
  const auto layer = [](std::vector<std::string> nodes, std::int64_t hidden) {
    return AttentionNodes{
        .nodes = std::move(nodes), .hidden = hidden, .heads = kHeads, .input = "feat", .output = "feat"};
  };
  context.student_attention = {layer({"query", "key", "value"}, kStudent)};
  context.teacher_attention = {layer({"none"}, kTeacher), layer({"qkv"}, kTeacher)};
  context.answers = AnswerKind::embedding;
  context.embedding_size = kStudent;
  context.teacher_embedding_size = kTeacher;
  context.seed = 1;
  return context;
}

Case rows_case() {
  Case c;
  c.batch.sample_ids = {7, 8, 9};
  c.batch.tokens.offsets = kOffsets;
  c.student["feat"] = drawn({kRows, kStudent}, 1);
  c.teacher["feat"] = drawn({kRows, kTeacher}, 2);
  std::uint64_t stream = 10;
  for (const char* name : {"query", "key", "value"}) c.student[name] = drawn({kRows, kStudent}, ++stream);
  c.teacher["qkv"] = drawn({kRows, 3 * kTeacher}, 20);
  c.student_embedding = drawn({3, kStudent}, 21);
  return c;
}

std::unique_ptr<Loss> rows_loss(const std::string& name, const Fields& fields) {
  auto loss = make_loss(entry_of(name, fields), rows_context());
  if (loss->trainable() != nullptr) loss->trainable()->to(at::kDouble);
  return loss;
}

at::Tensor keep_of_rows(const std::vector<int>& seen) {
  at::Tensor keep = at::zeros({kRows, 1}, at::kBool);
  for (const int row : seen) keep[row].fill_(true);
  return keep;
}

}  // namespace mgd::test
