// What every registered loss must keep, by its name alone.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/index_select.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "loss/fixture.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;

constexpr std::int64_t kBatch = 4, kClasses = 10;
const std::vector<std::int64_t> kStudent = {5, 6, 5}, kTeacher = {7, 6, 5};

// What only texts have is tested in rows_test.cpp.
std::vector<std::string> losses_on_pictures() {
  std::vector<std::string> names = known_losses();
  std::erase_if(names, [](const std::string& name) {
    return name == "embedding" || name == "minilm" || name == "tinybert";
  });
  return names;
}

class EveryLoss : public testing::TestWithParam<std::string> {
 protected:
  std::unique_ptr<Loss> make(std::uint64_t seed = 1,
                             const std::vector<std::int64_t>& student = kStudent) const {
    auto loss =
        make_loss(entry(), context_for(GetParam(), compares_channels() ? kTeacher : student, kTeacher, seed));
    if (loss->trainable()) loss->trainable()->to(at::kDouble);
    if (loss->wants_survey()) {
      loss->survey(inputs(student).input());
      loss->end_survey();
    }
    if (loss->remembers()) {
      Case earlier = inputs(student);
      earlier.teacher["feat"] = drawn({kBatch, kTeacher[0], kTeacher[1], kTeacher[2]}, 77);
      loss->begin_step();
      loss->see(earlier.input());
      loss->end_step();
    }
    return loss;
  }

  static bool compares_pairs() { return GetParam() == "cosine_similarity"; }
  static bool compares_channels() { return GetParam() == "pkd"; }  // which must be as many

  static Node entry(std::vector<std::pair<std::string, std::string>> fields = {}) {
    if (compares_pairs()) fields.emplace_back("max_score", "10");  // the targets go up to 7
    return entry_of(GetParam(), fields);
  }

  // Masks are uneven on purpose: sample 0 hides nothing, the last one everything.
  static Case inputs(const std::vector<std::int64_t>& given = kStudent,
                     const std::vector<std::int64_t>& teacher = kTeacher) {
    const std::vector<std::int64_t>& student = compares_channels() ? teacher : given;
    Case c;
    c.batch.sample_ids = {10, 11, 12, 13};
    c.batch.target = at::zeros({kBatch}, at::kLong);
    for (std::int64_t b = 0; b < kBatch; ++b) c.batch.target[b].fill_(2 * b + 1);
    c.student_logits = drawn({kBatch, kClasses}, 1, 2);
    c.teacher_logits = drawn({kBatch, kClasses}, 2, 2);
    c.student_embedding = drawn({2 * kBatch, kClasses}, 6);
    c.student["feat"] = drawn({kBatch, student[0], student[1], student[2]}, 30);
    c.teacher["feat"] = drawn({kBatch, teacher[0], teacher[1], teacher[2]}, 4);
    c.keep = drawn({kBatch, 1, teacher[1], teacher[2]}, 5) > 0;
    c.keep[0].fill_(true);
    c.keep[kBatch - 1].fill_(false);
    return c;
  }

  static Case select(const Case& all, const std::vector<std::int64_t>& rows) {
    Case c;
    at::Tensor index = at::zeros({static_cast<std::int64_t>(rows.size())}, at::kLong);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      index[static_cast<std::int64_t>(i)].fill_(rows[i]);
      c.batch.sample_ids.push_back(all.batch.sample_ids[static_cast<std::size_t>(rows[i])]);
    }
    auto pick = [&](const at::Tensor& t) { return at::index_select(t, 0, index); };
    c.batch.target = pick(all.batch.target);
    c.student_logits = pick(all.student_logits);
    c.teacher_logits = pick(all.teacher_logits);
    c.student_embedding = pick(all.student_embedding.view({-1, 2, kClasses})).reshape({-1, kClasses});
    c.keep = pick(all.keep);
    for (const auto& [name, map] : all.student) c.student[name] = pick(map);
    for (const auto& [name, map] : all.teacher) c.teacher[name] = pick(map);
    return c;
  }
};

struct Leaf {
  std::string name;
  at::Tensor tensor;
};

// What gets gradients: the student's tensors that this loss looks at, and its own blocks.
std::vector<Leaf> leaves(Loss& loss, Case& c) {
  std::vector<Leaf> all;
  if (loss.label() == "cosine_similarity") {
    all.push_back({"student_embedding", c.student_embedding.clone().set_requires_grad(true)});
    c.student_embedding = all.back().tensor;
  } else if (loss.student_taps().empty()) {
    all.push_back({"student_logits", c.student_logits.clone().set_requires_grad(true)});
    c.student_logits = all.back().tensor;
  } else {
    all.push_back({"student map", c.student["feat"].clone().set_requires_grad(true)});
    c.student["feat"] = all.back().tensor;
  }
  if (loss.trainable())
    for (auto& entry : loss.trainable()->parameters()) {
      if (entry.tensor.grad().defined()) entry.tensor.mutable_grad().zero_();
      all.push_back({entry.name, entry.tensor});
    }
  return all;
}

TEST_P(EveryLoss, GradientsAgreeWithFiniteDifferences) {
  auto loss = make();
  Case c = inputs();
  auto all = leaves(*loss, c);
  loss->sum(c.input()).backward();
  // Central differences in double: error ~ h^2 + eps / h relative to the sum, 1e-9 at h = 1e-5. Nodes of ReLU
  // that flip within h are possible but rare: the inputs are fixed, so this test does not flicker.
  constexpr double kStep = 1e-5;
  for (auto& [name, tensor] : all) {
    double* data = tensor.mutable_data_ptr<double>();
    const std::int64_t stride = std::max<std::int64_t>(1, tensor.numel() / 23);  // some 23 elements, spread
    const at::Tensor gradient = tensor.grad().contiguous();
    for (std::int64_t i = 0; i < tensor.numel(); i += stride) {
      const double value = data[i];
      data[i] = value + kStep;
      const double above = scalar(loss->sum(c.input()));
      data[i] = value - kStep;
      const double below = scalar(loss->sum(c.input()));
      data[i] = value;
      const double got = gradient.const_data_ptr<double>()[i], expected = (above - below) / (2 * kStep);
      EXPECT_NEAR(got, expected, 1e-6 * std::max(1.0, std::abs(expected))) << name << "[" << i << "]";
    }
  }
}

// Losses that see a step at once are handed it at once (tests/train/step_test.cpp); batch norm couples
// samples.
TEST_P(EveryLoss, MicroBatchesAddUpToTheBatch) {
  auto loss = make();
  if (loss->scope() == Scope::step || GetParam() == "review") return;
  Case whole = inputs();
  auto all = leaves(*loss, whole);
  const at::Tensor total = loss->sum(whole.input());
  total.backward();
  double sum = 0, count = 0;
  std::vector<at::Tensor> gradients;
  for (auto& leaf : all) gradients.push_back(leaf.tensor.grad().clone());
  for (auto& leaf : all) leaf.tensor.mutable_grad().zero_();
  for (const auto& rows : {std::vector<std::int64_t>{0}, std::vector<std::int64_t>{1, 2, 3}}) {
    const Case part = select(whole, rows);
    const at::Tensor partial = loss->sum(part.input());
    partial.backward();
    sum += scalar(partial);
    count += loss->count(part.count_input());
  }
  EXPECT_NEAR(sum, scalar(total), 1e-10 * std::abs(scalar(total)));
  EXPECT_EQ(count, loss->count(whole.count_input()));
  for (std::size_t i = 0; i < all.size(); ++i) {
    const double scale = 1 + scalar(gradients[i].abs().max());
    EXPECT_LT(scalar((all[i].tensor.grad() - gradients[i]).abs().max()), 1e-10 * scale) << all[i].name;
  }
}

TEST_P(EveryLoss, DoesNotDependOnTheOrderOfTheBatch) {
  auto loss = make();
  const Case c = inputs();
  const double total = scalar(loss->sum(c.input()));
  EXPECT_NEAR(scalar(loss->sum(select(c, {2, 0, 3, 1}).input())), total, 1e-10 * std::abs(total));
  EXPECT_EQ(loss->count(select(c, {2, 0, 3, 1}).count_input()), loss->count(c.count_input()));
}

TEST_P(EveryLoss, IsDeterministicInItsSeed) {
  const Case c = inputs();
  const double total = scalar(make(1)->sum(c.input()));
  EXPECT_EQ(scalar(make(1)->sum(c.input())), total);
  if (make()->trainable() != nullptr) {
    EXPECT_NE(scalar(make(2)->sum(c.input())), total);
  }
}

// count() sees sizes and masks only. And an empty micro-batch is nothing, not NaN.
TEST_P(EveryLoss, CountsWithoutAForwardPass) {
  auto loss = make();
  const Case c = inputs();
  const double before = loss->count(c.count_input());
  EXPECT_GT(before, 0);
  loss->sum(c.input());
  EXPECT_EQ(loss->count(c.count_input()), before);
  const Case none = select(c, {});
  EXPECT_EQ(loss->count(none.count_input()), 0);
  EXPECT_EQ(scalar(loss->sum(none.input())), 0);
}

TEST_P(EveryLoss, StateCopiedIntoAFreshOneGivesTheSame) {
  auto trained = make(1), fresh = make(2);
  if (trained->trainable() == nullptr) {
    EXPECT_EQ(fresh->trainable(), nullptr);
    return;
  }
  const auto from = trained->trainable()->state();
  auto to = fresh->trainable()->state();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(from[i].name, to[i].name);
    to[i].tensor.detach().copy_(from[i].tensor.detach());
  }
  const Case c = inputs();
  EXPECT_EQ(scalar(fresh->sum(c.input())), scalar(trained->sum(c.input())));
}

TEST_P(EveryLoss, LeavesTheTeacherWithoutGradient) {
  auto loss = make();
  Case c = inputs();
  leaves(*loss, c);
  c.teacher_logits.set_requires_grad(true);
  c.teacher["feat"].set_requires_grad(true);
  loss->sum(c.input()).backward();
  EXPECT_FALSE(c.teacher_logits.grad().defined());
  EXPECT_FALSE(c.teacher["feat"].grad().defined());
}

TEST_P(EveryLoss, HiddenFeaturesCannotInfluenceAnything) {
  auto loss = make();
  if (loss->mask_request() == nullptr) return;
  Case clean = inputs();
  Case planted = clean;
  planted.student["feat"] =
      at::where(clean.keep, clean.student["feat"], std::numeric_limits<double>::quiet_NaN());
  std::vector<at::Tensor> results[2];
  for (int i = 0; i < 2; ++i) {
    Case& c = i == 0 ? clean : planted;
    auto all = leaves(*loss, c);
    const at::Tensor total = loss->sum(c.input());
    total.backward();
    results[i].push_back(total.detach());
    for (auto& leaf : all) results[i].push_back(leaf.tensor.grad().clone());
  }
  for (std::size_t i = 0; i < results[0].size(); ++i)
    EXPECT_TRUE(at::equal(results[0][i], results[1][i])) << i;
}

TEST_P(EveryLoss, IsZeroWhenTheStudentIsTheTeacher) {
  // Cross-entropies end at the entropy of their target, generation and review have weights of their own, a
  // sample does not lie where its class does, and scores know no teacher.
  for (const char* other : {"cross_entropy", "nkd", "mgd", "review", "nd", "cosine_similarity"})
    if (GetParam() == other) return;
  auto loss = make(1, kTeacher);
  Case c = inputs(kTeacher, kTeacher);
  c.student["feat"] = c.teacher["feat"];
  c.student_logits = c.teacher_logits;
  // A correlation is a little below 1 for the 1e-8 in its denominator.
  EXPECT_NEAR(scalar(loss->sum(c.input())), 0, GetParam() == "dist" ? 1e-3 : 1e-12);
  c.student["feat"] = c.teacher["feat"] + drawn({kBatch, kTeacher[0], kTeacher[1], kTeacher[2]}, 8, 0.1);
  c.student_logits = c.teacher_logits + drawn({kBatch, kClasses}, 9, 0.1);
  EXPECT_GT(scalar(loss->sum(c.input())), 1e-6);  // and nowhere near
}

// Halves, as bfloat16 training hands them over, are summed in float.
TEST_P(EveryLoss, SumsInFloatAtLeast) {
  auto loss = make();
  if (loss->trainable()) loss->trainable()->to(at::kFloat);
  Case c = inputs();
  const double exact = scalar(make()->sum(c.input()));
  for (auto* tensor :
       {&c.student_logits, &c.teacher_logits, &c.student_embedding, &c.student["feat"], &c.teacher["feat"]})
    *tensor = tensor->to(at::kBFloat16);
  const at::Tensor total = loss->sum(c.input());
  EXPECT_EQ(total.scalar_type(), at::kFloat);
  EXPECT_NEAR(scalar(total), exact, 0.03 * std::abs(exact));
}

TEST_P(EveryLoss, TakesItsWeightAndLabelFromTheEntry) {
  auto loss = make_loss(entry_of(GetParam(), {{"weight", "0.125"}, {"label", "mine"}}),
                        context_for(GetParam(), compares_channels() ? kTeacher : kStudent, kTeacher));
  EXPECT_EQ(loss->weight(), 0.125);
  EXPECT_EQ(loss->label(), "mine");
  EXPECT_THAT(loss->describe(), testing::HasSubstr("weight 0.125"));
  EXPECT_EQ(make()->label(), GetParam());
}

TEST_P(EveryLoss, RefusesWhatItDoesNotKnow) {
  auto message = [&](std::vector<std::pair<std::string, std::string>> fields, const LossContext& context) {
    try {
      make_losses(entry_of(GetParam(), fields), context);
    } catch (const Error& e) {
      EXPECT_EQ(e.code(), ExitCode::usage);
      return std::string(e.what());
    }
    return std::string("no error");
  };
  const auto context = context_for(GetParam(), kStudent, kTeacher);
  EXPECT_THAT(
      message({{"wieght", "1"}}, context),
      testing::AllOf(testing::HasSubstr("wieght"), testing::HasSubstr("did you mean 'weight'?"),
                     testing::HasSubstr("test.yaml:1:2"), testing::HasSubstr("losses." + GetParam())));
  EXPECT_THAT(message({{"weight", "-1"}}, context), testing::HasSubstr("-1"));
  if (!make()->needs_teacher()) return;
  LossContext alone = context;
  alone.teacher.clear();
  EXPECT_THAT(message({}, alone),
              testing::HasSubstr("losses." + GetParam() + ": needs a teacher, and the recipe has none"));
}

INSTANTIATE_TEST_SUITE_P(Builtin, EveryLoss, testing::ValuesIn(losses_on_pictures()),
                         [](const auto& info) { return info.param; });

TEST(Losses, UnknownAndNamelessEntriesAreRefused) {
  const auto context = context_of(kStudent, kTeacher);
  try {
    make_losses(entry_of("cross_entrpy"), context);
    FAIL();
  } catch (const Error& e) {
    EXPECT_STREQ(e.what(),
                 "test.yaml:1:1: losses: unknown loss 'cross_entrpy'; did you mean 'cross_entropy'?");
  }
  EXPECT_THROW(make_losses(Node::make_map(), context), Error);
}

}  // namespace
}  // namespace mgd
