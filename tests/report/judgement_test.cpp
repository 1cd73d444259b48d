#include "mgd/report/judgement.h"

#include <ATen/ops/from_blob.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>

namespace mgd {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::Not;

class Labels final : public ImageSource {
 public:
  explicit Labels(std::vector<std::int64_t> labels) : labels_(std::move(labels)) {}
  std::int64_t size() const override { return static_cast<std::int64_t>(labels_.size()); }
  std::int64_t channels() const override { return 3; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t label(std::int64_t i) const override { return labels_.at(static_cast<std::size_t>(i)); }
  std::string name(std::int64_t i) const override { return "test/" + std::to_string(i); }
  Image image(std::int64_t) const override { return {}; }
  std::string fingerprint() const override { return ""; }

 private:
  std::vector<std::int64_t> labels_;
  std::vector<std::string> names_ = {"cat", "dog", "owl"};
};

// Rows of logits that give `answers` with probability `sure`.
at::Tensor logits_of(const std::vector<std::int64_t>& answers, double sure) {
  std::vector<double> values;
  for (std::int64_t answer : answers)
    for (std::int64_t k = 0; k < 3; ++k) values.push_back(std::log(k == answer ? sure : (1 - sure) / 2));
  return at::from_blob(values.data(), {static_cast<std::int64_t>(answers.size()), 3}, at::kDouble).clone();
}

struct Case {
  std::vector<std::int64_t> labels, student, teacher;
  double sure = 0.9;

  ReportData judged(const BaselineAnswers& baseline = {}) const {
    const Labels source(labels);
    FinalMeasures m;
    m.split = "test";
    m.source = &source;
    m.student.logits = logits_of(student, sure);
    m.student.classes = classify_metrics(m.student.logits, labels);
    if (!teacher.empty()) {
      m.teachers.emplace_back().logits = logits_of(teacher, 0.9);
      m.teachers.front().classes = classify_metrics(m.teachers.front().logits, labels);
    }
    ReportData data;
    judge_student(m, baseline, data);
    return data;
  }
};

Case ten_of_each(std::int64_t wrong_owls) {
  Case c;
  for (std::int64_t k = 0; k < 3; ++k)
    for (std::int64_t i = 0; i < 10; ++i) {
      c.labels.push_back(k);
      c.student.push_back(k == 2 && i < wrong_owls ? 1 : k);
      c.teacher.push_back(k);
    }
  return c;
}

TEST(Judgement, SaysHowFewPicturesLeaveTheAccuracyOpen) {
  const ReportData data = ten_of_each(0).judged();
  EXPECT_EQ(data.findings_title, "Should I ship it?");
  EXPECT_THAT(data.findings.at(0), HasSubstr("Right on 30 of 30 test pictures"));
  EXPECT_THAT(data.findings.at(0), HasSubstr("between 88.6 and 100.0 %"));
}

TEST(Judgement, AClassThatIsRarelyFoundComesFirst) {
  const ReportData data = ten_of_each(5).judged();
  EXPECT_THAT(data.findings,
              Contains(HasSubstr("Look at these classes first: owl (finds 50 % of 10, teacher 100 %)")));
  EXPECT_THAT(data.finding_tables.front().rows.at(0).at(0), HasSubstr("owl"));
  EXPECT_EQ(data.finding_tables.front().rows.at(0).at(5), "dog");
}

TEST(Judgement, TenPointsUnderTheTeacherAreDoubtfulNineAreNot) {
  EXPECT_THAT(ten_of_each(1).judged().findings, Contains(HasSubstr("Look at these classes first: owl")));
  Case alone = ten_of_each(1);
  alone.teacher.clear();
  EXPECT_THAT(alone.judged().findings,
              Contains(HasSubstr("No class is found in fewer than 60 % of its pictures.")));
}

TEST(Judgement, ProbabilitiesThatAreTooHighAreSaidToBe) {
  Case c = ten_of_each(5);
  c.sure = 0.99;
  EXPECT_THAT(c.judged().findings,
              Contains(HasSubstr("too high: it is 99.0 % sure on average and right in 83.3 %")));
  c = ten_of_each(0);
  c.sure = 0.6;
  EXPECT_THAT(c.judged().findings, Contains(HasSubstr("too low")));
}

TEST(Judgement, DisagreementCountsWhoIsRight) {
  Case c = ten_of_each(2);
  c.teacher[0] = 1;
  const ReportData data = c.judged();
  EXPECT_THAT(data.findings,
              Contains(HasSubstr("disagree on 3 of 30 pictures: there the teacher is right 2 times, the "
                                 "student 1 times, neither 0 times")));
  EXPECT_THAT(data.findings, Contains(HasSubstr("cannot tell the two apart")));
  EXPECT_EQ(data.finding_tables.at(1).rows.at(0), (std::vector<std::string>{"owl", "dog", "owl", "2"}));
}

TEST(Judgement, TheBaselineIsPairedByPicture) {
  Case c = ten_of_each(0);
  BaselineAnswers baseline{.name = "runs/alone", .answers = {}};
  for (int i = 0; i < 30; ++i)
    baseline.answers["test/" + std::to_string(i)] = {
        .label = "cat", .answer = i < 15 ? "cat" : "dog", .teacher = ""};
  EXPECT_THAT(c.judged(baseline).findings,
              Contains(HasSubstr("Against the baseline runs/alone: +50.0 points")));
  baseline.answers.clear();
  EXPECT_THAT(c.judged(baseline).findings, Contains(HasSubstr("left no answers to these pictures")));
  EXPECT_THAT(c.judged().findings, Not(Contains(HasSubstr("baseline"))));
}

TEST(Answers, GoThroughTheirFileUnchanged) {
  const Labels source({0, 1});
  FinalMeasures m;
  m.source = &source;
  m.student.logits = logits_of({0, 2}, 0.75);
  m.teachers.emplace_back().logits = logits_of({1, 1}, 0.5);
  const auto answers = parse_answers(answers_jsonl(m), "answers.jsonl");
  ASSERT_EQ(answers.size(), 2U);
  EXPECT_TRUE(answers.at("test/0").right());
  EXPECT_EQ(answers.at("test/1").answer, "owl");
  EXPECT_EQ(answers.at("test/0").teacher, "dog");
  EXPECT_NEAR(answers.at("test/1").score, 0.75, 1e-12);
}

TEST(Answers, ABrokenLineAndANameThatComesTwiceAreNamed) {
  const std::string line = R"({"input":"a","label":"x","answer":"y","score":0.5})";
  EXPECT_THROW(parse_answers(line + "\n" + line + "\n", "f"), std::exception);
  EXPECT_THROW(parse_answers("{\"input\":\"a\"}\n", "f"), std::exception);
  EXPECT_THROW(parse_answers("[]\n", "f"), std::exception);
  EXPECT_TRUE(parse_answers("", "f").empty());
}

}  // namespace
}  // namespace mgd
