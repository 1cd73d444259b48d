// What every loss between rows or texts must keep, in each of its forms.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/full.h>
#include <gtest/gtest.h>

#include <cmath>

#include "loss/rows_case.h"

namespace mgd {
namespace {

using namespace test;

// Every loss that compares rows or texts, in each of its forms.
const std::vector<std::pair<std::string, Fields>>& losses_on_rows() {
  static const std::vector<std::pair<std::string, Fields>> all = {
      {"mgd", {}},
      {"mgd", {{"on", "hidden"}}},
      {"mgd", {{"generator", "transformer"}, {"generator_heads", "1"}}},
      {"mgd", {{"generator", "transformer"}, {"generator_heads", "3"}, {"fill", "token"}, {"on", "hidden"}}},
      {"mimic", {}},
      {"cosine", {}},
      {"minilm", {{"relation_heads", "2"}}},
      {"tinybert", {}},
      {"tinybert", {{"layers", "[0:1]"}, {"embeddings", "false"}}},
      {"embedding", {}},
  };
  return all;
}

std::vector<std::unique_ptr<Loss>> losses_of(const std::string& name, const Fields& fields) {
  auto losses = make_losses(entry_of(name, fields), rows_context());
  for (auto& loss : losses)
    if (loss->trainable() != nullptr) loss->trainable()->to(at::kDouble);
  return losses;
}

Case text_of(const Case& whole, std::size_t s) {
  const std::int64_t first = kOffsets[s], length = kOffsets[s + 1] - first;
  Case c;
  c.batch.sample_ids = {whole.batch.sample_ids[s]};
  c.batch.tokens.offsets = {0, length};
  for (const auto& [key, rows] : whole.student) c.student[key] = rows.narrow(0, first, length);
  for (const auto& [key, rows] : whole.teacher) c.teacher[key] = rows.narrow(0, first, length);
  c.keep = whole.keep.narrow(0, first, length);
  c.student_embedding = whole.student_embedding.narrow(0, static_cast<std::int64_t>(s), 1);
  return c;
}

at::Tensor sum_of(Loss& loss, const Case& c, const at::Tensor& teacher_embedding) {
  const LossInput input = c.input();
  c.teacher_record.embedding = teacher_embedding;
  return loss.sum(input);
}

// Sequence by sequence, as micro-batches of one, it is the same sum, count and gradient.
TEST(Rows, MicroBatchesAddUp) {
  const at::Tensor embedded = drawn({3, kTeacher}, 22);
  for (const auto& [name, fields] : losses_on_rows())
    for (auto& loss : losses_of(name, fields)) {
      SCOPED_TRACE(loss->describe());
      Case whole = rows_case();
      whole.keep = keep_of_rows({0, 2, 5, 7, 8});
      const auto leaves = [&] {
        std::vector<at::Tensor> all = {whole.student_embedding.set_requires_grad(true)};
        for (auto& [key, rows] : whole.student) all.push_back(rows.set_requires_grad(true));
        if (loss->trainable() != nullptr)
          for (const NamedTensor& entry : loss->trainable()->parameters()) all.push_back(entry.tensor);
        return all;
      }();
      const auto taken = [&] {
        std::vector<at::Tensor> gradients;
        for (const at::Tensor& leaf : leaves) {
          gradients.push_back(leaf.grad());
          leaf.mutable_grad().reset();
        }
        return gradients;
      };
      const at::Tensor total = sum_of(*loss, whole, embedded);
      total.backward();
      const std::vector<at::Tensor> exact = taken();
      double sum = 0, count = 0;
      for (std::size_t s = 0; s + 1 < kOffsets.size(); ++s) {
        const Case c = text_of(whole, s);
        const at::Tensor part = sum_of(*loss, c, embedded.narrow(0, static_cast<std::int64_t>(s), 1));
        if (part.requires_grad()) part.backward();
        sum += scalar(part);
        count += loss->count(c.count_input());
      }
      EXPECT_NEAR(sum, scalar(total), 1e-10);
      EXPECT_NEAR(count, loss->count(whole.count_input()), 1e-9);
      const std::vector<at::Tensor> added = taken();
      for (std::size_t i = 0; i < exact.size(); ++i) {
        ASSERT_EQ(exact[i].defined(), added[i].defined()) << i;
        if (!exact[i].defined()) continue;
        EXPECT_TRUE(at::allclose(added[i], exact[i], 1e-9, 1e-11)) << i;
      }
    }
}

// What else is in the batch changes nothing of a text: another text's rows, and the order of texts.
TEST(Rows, ATextsShareDoesNotDependOnItsNeighbours) {
  const at::Tensor embedded = drawn({3, kTeacher}, 22);
  for (const auto& [name, fields] : losses_on_rows())
    for (auto& loss : losses_of(name, fields)) {
      SCOPED_TRACE(loss->describe());
      Case whole = rows_case();
      whole.keep = keep_of_rows({0, 2, 5, 7, 8});
      const double before = scalar(sum_of(*loss, whole, embedded));
      const double of_last = scalar(sum_of(*loss, text_of(whole, 2), embedded.narrow(0, 2, 1)));
      Case changed = whole;
      for (auto& [key, rows] : changed.student) {
        rows = rows.clone();
        rows.narrow(0, 6, 7).mul_(-3);
      }
      changed.student_embedding = changed.student_embedding.clone();
      changed.student_embedding[2].mul_(-3);
      const double after = scalar(sum_of(*loss, changed, embedded));
      const double of_changed = scalar(sum_of(*loss, text_of(changed, 2), embedded.narrow(0, 2, 1)));
      EXPECT_NEAR(after - of_changed, before - of_last, 1e-9);
      EXPECT_NE(of_changed, of_last);
    }
}

// A text on its own, whatever batch it lies in: the same bits, as its rows are the same.
TEST(Rows, TheSameRowsGiveTheSameBits) {
  const at::Tensor embedded = drawn({3, kTeacher}, 22);
  for (const auto& [name, fields] : losses_on_rows())
    for (auto& loss : losses_of(name, fields)) {
      Case whole = rows_case();
      whole.keep = keep_of_rows({0, 2, 5, 7, 8});
      const double once = scalar(sum_of(*loss, whole, embedded));
      // A row of padding that somebody cut off, and texts that came in two rows or in one, are the same
      // PackedTokens.
      Case cut = whole;
      for (auto* side : {&cut.student, &cut.teacher})
        for (auto& [key, rows] : *side) {
          at::Tensor padded = at::full({kRows + 4, rows.size(1)}, std::nan(""), rows.options());
          padded.narrow(0, 0, kRows).copy_(rows);
          rows = padded.narrow(0, 0, kRows);
        }
      cut.batch.sample_ids = {7, 7, 8};
      EXPECT_EQ(scalar(sum_of(*loss, cut, embedded)), once) << loss->describe();
    }
}

// An empty micro-batch is nothing, not NaN.
TEST(Rows, NoTextsGiveNothing) {
  for (const auto& [name, fields] : losses_on_rows())
    for (auto& loss : losses_of(name, fields)) {
      Case none = rows_case();
      none.batch.sample_ids = {};
      none.batch.tokens.offsets = {0};
      for (auto* side : {&none.student, &none.teacher})
        for (auto& [key, rows] : *side) rows = rows.narrow(0, 0, 0);
      none.student_embedding = none.student_embedding.narrow(0, 0, 0);
      none.keep = keep_of_rows({}).narrow(0, 0, 0);
      EXPECT_EQ(loss->count(none.count_input()), 0) << loss->describe();
      EXPECT_EQ(scalar(sum_of(*loss, none, drawn({3, kTeacher}, 22).narrow(0, 0, 0))), 0) << loss->describe();
    }
}

}  // namespace
}  // namespace mgd
