// What a caller hands to a loss and does not fit is refused with the loss's name.
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "loss/fixture.h"

namespace mgd {
namespace {

using namespace test;
using testing::AllOf;
using testing::HasSubstr;

Case fitting() {
  Case c;
  c.batch.sample_ids = {0, 1};
  c.batch.target = at::zeros({2}, at::kLong);
  c.student = {{"feat", at::ones({2, 4, 6, 5})}};
  c.teacher = {{"feat", at::ones({2, 8, 6, 5})}};
  c.student_logits = at::ones({2, 10});
  c.teacher_logits = at::ones({2, 10});
  c.student_embedding = at::ones({4, 3});
  return c;
}

std::string refusal(const char* name, const std::function<void(Case&)>& spoil) {
  const auto loss = make_loss(entry_of(name), context_for(name, {4, 6, 5}, {8, 6, 5}));
  Case c = fitting();
  if (std::string(name) == "cosine_similarity") c.batch.target = at::zeros({2});
  EXPECT_NO_THROW(loss->sum(c.input()));
  spoil(c);
  const std::string message = error_of(ExitCode::usage, [&] { loss->sum(c.input()); });
  EXPECT_THAT(message, HasSubstr(std::string("losses.") + name));
  return message;
}

TEST(LossInput, MapsThatDoNotFitAreRefused) {
  for (const char* name : {"mgd", "mimic", "at", "cwd", "rkd"}) {
    SCOPED_TRACE(name);
    EXPECT_THAT(
        refusal(name,
                [](Case& c) {
                  c.student["feat"] = at::ones({2, 4, 3, 5});
                }),
        AllOf(HasSubstr("feat of the student"), HasSubstr("float (2, 4, 3, 5)"), HasSubstr("(B, 4, 6, 5)")));
    EXPECT_THAT(refusal(name,
                        [](Case& c) {
                          c.teacher["feat"] = at::ones({8, 6, 5});
                        }),
                AllOf(HasSubstr("feat of the teacher"), HasSubstr("float (8, 6, 5)")));
    EXPECT_THAT(refusal(name,
                        [](Case& c) {
                          c.teacher["feat"] = at::ones({3, 8, 6, 5});
                        }),
                HasSubstr("2 samples of the student and 3 of the teacher"));
    EXPECT_THAT(refusal(name,
                        [](Case& c) {
                          c.student = {{"feta", at::ones({2, 4, 6, 5})}};
                        }),
                AllOf(HasSubstr("lack the tap 'feat'"), HasSubstr("'feta'")));
    EXPECT_THAT(refusal(name, [](Case& c) { c.teacher["feat"] = at::Tensor(); }), HasSubstr("lack the tap"));
  }
}

TEST(LossInput, MasksThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal("mgd",
                      [](Case& c) {
                        c.keep = at::ones({2, 1, 6, 5});
                      }),
              HasSubstr("keep: got float (2, 1, 6, 5)"));
  EXPECT_THAT(refusal("mgd",
                      [](Case& c) {
                        c.keep = at::ones({2, 4, 1, 1}, at::kBool);
                      }),
              HasSubstr("broadcasts to (2, 8, 6, 5)"));
}

TEST(LossInput, LogitsAndTargetsThatDoNotFitAreRefused) {
  EXPECT_THAT(refusal("kd", [](Case& c) { c.teacher_logits = at::Tensor(); }),
              HasSubstr("teacher_logits: got nothing"));
  EXPECT_THAT(refusal("kd", [](Case& c) { c.student_logits = at::ones({10}); }), HasSubstr("student_logits"));
  for (const char* name : {"dkd", "nkd"}) {
    EXPECT_THAT(refusal(name, [](Case& c) { c.student_logits = at::Tensor(); }),
                HasSubstr("student_logits: got nothing"));
    EXPECT_THAT(refusal(name, [](Case& c) { c.batch.target = at::zeros({3}, at::kLong); }),
                HasSubstr("got target long (3)"));
    EXPECT_THAT(refusal(name, [](Case& c) { c.batch.target = at::full({2}, 10, at::kLong); }),
                HasSubstr("target: got class 10, expected 0 to 9"));
  }
  const auto entropy = [](const std::function<void(Case&)>& spoil) {
    return refusal("cross_entropy", spoil);
  };
  EXPECT_THAT(entropy([](Case& c) { c.student_logits = at::Tensor(); }), HasSubstr("logits nothing"));
  EXPECT_THAT(entropy([](Case& c) { c.batch.target = at::zeros({3}, at::kLong); }),
              HasSubstr("target long (3)"));
  EXPECT_THAT(entropy([](Case& c) { c.batch.target = at::zeros({2}); }), HasSubstr("target float (2)"));
  EXPECT_THAT(entropy([](Case& c) { c.batch.target = at::full({2}, 10, at::kLong); }), HasSubstr("class 10"));
  EXPECT_THAT(entropy([](Case& c) {
                c.batch.target_probs = at::ones({2, 9});
              }),
              HasSubstr("target_probs float (2, 9)"));
  EXPECT_THAT(refusal("cosine_similarity",
                      [](Case& c) {
                        c.student_embedding = at::ones({3, 3});
                      }),
              HasSubstr("embeddings float (3, 3)"));
}

}  // namespace
}  // namespace mgd
