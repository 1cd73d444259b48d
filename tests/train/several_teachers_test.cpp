// Runs with several teachers: whom a loss listens to, and what cannot be.
#include <ATen/TensorOperators.h>
#include <ATen/ops/allclose.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/train/finish.h"
#include "mgd/train/preflight.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using Options = std::vector<std::string>;

class SeveralTeachers : public testing::Test {
 protected:
  SeveralTeachers() { toy::teacher(folder); }
  // A second one, of another width and depth.
  std::string other() const {
    if (!fs::exists(folder.path() / "other")) {
      const auto run =
          make_run(toy::config(folder, {"student={model: resnet18, width: 0.125}", "train.epochs=6"}));
      train(*run, RunFolder(folder / "other-run", RunFolder::Open::create), {}, {});
      export_student(*run, folder / "other");
    }
    return folder / "other";
  }
  Config config(const Options& extra) const {
    Options all{"teachers=[{name: small, path: " + (folder / "teacher") +
                    ", weight: 3}, {name: wide, path: " + other() + "}]",
                "train.check_teacher=false"};
    all.insert(all.end(), extra.begin(), extra.end());
    return toy::config(folder, all);
  }
  std::string refusal(const Options& extra) const {
    return error_of(ExitCode::usage, [&] { make_run(config(extra)); });
  }

  const toy::TempFolder folder;
};

TEST_F(SeveralTeachers, LossesBetweenLogitsListenToTheirAverage) {
  const auto run = make_run(config({"losses=[kd, {name: kd, label: kd.wide, teacher: wide}]"}));
  EXPECT_EQ(run->losses[0].teacher, kAllTeachers);
  EXPECT_EQ(run->losses[1].teacher, 1U);
  const Batch batch = run->loader->next().micro.at(0);
  const std::vector<Record> answers = teacher_answers(*run, batch);
  ASSERT_EQ(answers.size(), 3U);
  EXPECT_TRUE(
      at::allclose(answers[2].logits, answers[0].logits * 0.75 + answers[1].logits * 0.25, 1e-5, 1e-6));
  EXPECT_EQ(&heard_by(run->losses[0], answers), &answers[2]);
  EXPECT_EQ(&heard_by(run->losses[1], answers), &answers[1]);
  const auto lines = describe_run(*run);
  EXPECT_THAT(lines, testing::Contains(HasSubstr("of all teachers, averaged")));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("'wide', weight 1")));
}

TEST_F(SeveralTeachers, FeaturesAreOfOneThatIsNamed) {
  EXPECT_THAT(refusal({"losses=[{name: mgd, resize: true}]"}),
              HasSubstr("there are the teachers small, wide; say which"));
  const auto run = make_run(
      config({"losses=[{name: mgd, teacher: wide, student_tap: layer3, teacher_tap: layer4, resize: true}, "
              "{name: mimic, teacher: small, resize: true}]"}));
  const Batch batch = run->loader->next().micro.at(0);
  const std::vector<Record> answers = teacher_answers(*run, batch);
  EXPECT_TRUE(answers.at(1).nodes.contains("layer4"));
  EXPECT_FALSE(answers.at(0).nodes.contains("layer4"));
  EXPECT_GT(forward_backward(*run, run->loader->next(), 0).parts.at("mgd"), 0);
}

TEST_F(SeveralTeachers, TheirAnswersAreKeptApart) {
  const Options extra{"losses=[kd, {name: mimic, teacher: small}]", "train.epochs=3"};
  Options cached = extra;
  cached.push_back("train.teacher_cache=" + (folder / "kept"));
  const auto plain = toy::train_all(config(extra), folder / "plain");
  EXPECT_EQ(toy::train_all(config(cached), folder / "filling").weights, plain.weights);
  const auto full = make_run(config(cached));
  EXPECT_TRUE(full->teachers[0]->cache->complete());
  EXPECT_TRUE(full->teachers[1]->cache->complete());
  EXPECT_NE(full->teachers[0]->cache->path(), full->teachers[1]->cache->path());
  EXPECT_EQ(toy::train_all(config(cached), folder / "full").weights, plain.weights);
}

TEST_F(SeveralTeachers, AreMeasuredAndNamedInTheSummary) {
  const auto run = make_run(config({"losses=[kd]", "train.epochs=1"}));
  const TrainResult result = train(*run, RunFolder(folder / "run", RunFolder::Open::create), {}, {});
  const FinalMeasures measures = measure_final(*run);
  ASSERT_EQ(measures.teachers.size(), 2U);
  EXPECT_THAT(summary_json(*run, result, measures, "student"), HasSubstr("\"name\": \"wide\""));
}

// The second would be shown numbers that it has never seen.
TEST_F(SeveralTeachers, OfOtherNormalisationsAreRefused) {
  other();
  const fs::path file = folder.path() / "other/config.json";
  auto config_json = nlohmann::ordered_json::parse(read_file(file));
  config_json["pretrained_cfg"]["mean"] = {0.5, 0.5, 0.5};
  write_file_atomic(file, config_json.dump());
  EXPECT_THAT(refusal({"losses=[kd]"}), AllOf(HasSubstr("teachers.1"), HasSubstr("wants mean 0.5 0.5 0.5")));
  EXPECT_NO_THROW(make_run(config({"losses=[kd]", "data.mean=[0.5, 0.5, 0.5]", "data.std=[0.2, 0.2, 0.2]"})));
}

TEST_F(SeveralTeachers, OfOtherPictureSizesAreRefused) {
  other();
  const fs::path file = folder.path() / "other/config.json";
  auto config_json = nlohmann::ordered_json::parse(read_file(file));
  config_json["pretrained_cfg"]["input_size"] = {3, 12, 12};
  write_file_atomic(file, config_json.dump());
  EXPECT_THAT(refusal({"losses=[kd]"}),
              AllOf(HasSubstr("teachers.1"), HasSubstr("wants pictures of 12 x 12")));
  EXPECT_NO_THROW(make_run(config({"losses=[kd]", "data.image_size=8"})));
}

TEST_F(SeveralTeachers, EachIsLookedAtBeforeTheFirstStep) {
  other();
  const auto run = make_run(config({"losses=[kd]", "train.check_teacher=true"}));
  EXPECT_EQ(preflight(*run).size(), 2U);
  for (auto& entry : run->teachers[1]->live->model().parameters()) entry.tensor.zero_();
  EXPECT_THAT(error_of(ExitCode::usage, [&] { preflight(*run); }),
              HasSubstr("wide: resnet18 looks untrained"));
}

TEST_F(SeveralTeachers, WrongRecipesAreRefused) {
  EXPECT_THAT(refusal({"losses=[{name: kd, teacher: wode}]"}), HasSubstr("did you mean 'wide'"));
  EXPECT_THAT(refusal({"losses=[{name: cross_entropy, teacher: wide}]"}), HasSubstr("listens to none"));
  EXPECT_THAT(refusal({"losses=[{name: mgd, teacher: all}]"}),
              HasSubstr("only logits of classes are averaged"));
  EXPECT_THAT(refusal({"teacher=" + (folder / "teacher")}), HasSubstr("there is a `teacher` as well"));
  EXPECT_THAT(refusal({"teachers=[{name: a, path: x}, {name: a, path: x}]"}),
              HasSubstr("'a' is there twice"));
  EXPECT_THAT(refusal({"losses=[kd]", "train.teacher_cache=x.cache"}), HasSubstr("name a folder"));
  EXPECT_THAT(refusal({"teachers=[a]"}), HasSubstr("'a' is a name without a model"));
  EXPECT_THAT(refusal({"teachers=[{name: a, path: x, wieght: 2}]"}), HasSubstr("did you mean 'weight'"));
  EXPECT_THAT(refusal({"teachers=[{name: a, path: x, weight: 0}]"}), HasSubstr("expected > 0"));
}

}  // namespace
}  // namespace mgd
