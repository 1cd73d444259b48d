// Teachers that are not models of ours: files of answers, and TorchScript.
#include "mgd/teach/stored_teacher.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>

#include <chrono>
#include <functional>
#include <limits>

#include "expect_error.h"
#include "mgd/train/finish.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using Names = std::vector<std::string>;

class StoredTeachers : public testing::Test {
 protected:
  StoredTeachers() { toy::teacher(folder); }

  Config config(const Names& more) const {
    Names extra{"data.labels=none",
                "losses=[{name: kd, weight: 1}, {name: mimic, student_tap: layer3, teacher_tap: "
                "layer3}]",
                "train.epochs=2"};
    extra.insert(extra.end(), more.begin(), more.end());
    return toy::config(folder, extra);
  }

  // What the live teacher says of all pictures, in an order that is nobody's.
  struct File {
    TensorMap outputs;
    Names names;
  };
  File answers_of_live() {
    const auto run = make_run(config({"teacher.path=" + folder / "teacher", "data.labels=auto"}));
    File file;
    std::vector<at::Tensor> logits, maps;
    for (const char* part : {"train", "validation", "test"})
      for (std::int64_t i = 0; run->task->has_split(part) && i < run->task->pictures(part)->size(); ++i) {
        const Batch batch = run->task->samples(part, {i});
        const Record record = teacher_answers(*run, batch).front();
        logits.insert(logits.begin(), record.logits);
        maps.insert(maps.begin(), record.nodes.at("layer3").data);
        file.names.insert(file.names.begin(), batch.names->name(i));
      }
    file.outputs = {{"logits", at::cat(logits)}, {"layer3", at::cat(maps)}};
    return file;
  }
  std::string stored(const File& file, const Names& classes = {"bars", "dots", "rings"}) const {
    write_answers(folder / "a.safetensors", file.outputs, file.names, classes);
    return "teacher.answers=" + folder / "a.safetensors";
  }
  std::string refusal(ExitCode code, const Names& more) const {
    return error_of(code, [&] { make_run(config(more)); });
  }

  const toy::TempFolder folder;
};

TEST_F(StoredTeachers, TeachTheSameAsTheModelThatAnswered) {
  const File file = answers_of_live();
  const std::string answers = stored(file);
  const auto live = make_run(config({"teacher.path=" + folder / "teacher"}));
  const auto from_file = make_run(config({answers}));
  EXPECT_EQ(from_file->task->class_names(), (Names{"bars", "dots", "rings"}));
  for (int i = 0; i < 2; ++i) {
    const Batch a = live->loader->next().micro.at(0), b = from_file->loader->next().micro.at(0);
    ASSERT_EQ(a.sample_ids, b.sample_ids);
    const Record x = teacher_answers(*live, a).front(), y = teacher_answers(*from_file, b).front();
    EXPECT_TRUE(at::allclose(x.logits, y.logits, 1e-5, 1e-5));
    EXPECT_TRUE(at::allclose(x.nodes.at("layer3").data, y.nodes.at("layer3").data, 1e-5, 1e-5));
  }
  toy::expect_equal(toy::train_all(config({answers}), folder / "one"),
                    toy::train_all(config({answers}), folder / "two"));
}

// Wherever the pictures lie, and whatever they are called there.
TEST_F(StoredTeachers, PicturesAreKnownByTheirContentToo) {
  File file = answers_of_live();
  const std::string by_name = stored(file);
  const toy::Outcome expected = toy::train_all(config({by_name}), folder / "by-name");
  for (std::string& name : file.names) name = content_name(read_file(folder / "images/" + name));
  const std::string by_content = stored(file);
  EXPECT_EQ(toy::train_all(config({by_content}), folder / "by-content").weights, expected.weights);
  file.names.back() = content_name("something else");
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(file)}), HasSubstr("no answers to 1 of"));
  file.names.back() = "train/bars/00.png";
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(file)}), HasSubstr("expected one way"));
}

// 2 x 2 patches behind a class token and four registers, against the student's map of another grid.
TEST_F(StoredTeachers, TokensMeetTheStudentsMap) {
  File file = answers_of_live();
  const auto count = static_cast<std::int64_t>(file.names.size());
  file.outputs["tokens"] = at::arange(count * 9 * 6, at::kFloat).view({count, 9, 6}) / 1000;
  // Nine could be 3 x 3: the fewest others count, and the file's owner is told.
  const auto nine = make_run(config({stored(file), "losses=[kd]"}));
  EXPECT_THAT(describe_run(*nine), Contains(HasSubstr("tokens: 9 tokens, taken as 3 x 3 patches")));
  file.outputs["tokens"] = at::arange(count * 5 * 6, at::kFloat).view({count, 5, 6}) / 1000;
  const auto run = make_run(
      config({stored(file),
              "losses=[{name: mimic, student_tap: layer2, teacher_tap: tokens, resize: true}, {name: "
              "cosine, student_tap: pool, teacher_tap: tokens.first}]"}));
  const auto lines = describe_run(*run);
  EXPECT_THAT(lines, Contains(HasSubstr("5 tokens, taken as 2 x 2 patches behind 1 other")));
  EXPECT_THAT(lines, Contains(AllOf(HasSubstr("teacher tokens (6, 2, 2)"), HasSubstr("resized"))));
  const Batch batch = run->loader->next().micro.at(0);
  const Record record = teacher_answers(*run, batch).front();
  const at::Tensor map = record.nodes.at("tokens").data, first = record.nodes.at("tokens.first").data;
  for (std::int64_t i = 0; i < batch.size(); ++i) {
    const std::string name = batch.names->name(batch.sample_ids[static_cast<std::size_t>(i)]);
    const auto row = std::find(file.names.begin(), file.names.end(), name) - file.names.begin();
    const at::Tensor tokens = file.outputs["tokens"][row];  // (5, 6)
    EXPECT_TRUE(at::equal(first[i], tokens[0]));
    EXPECT_TRUE(at::equal(map[i].flatten(1).t(), tokens.slice(0, 1)));
  }
  EXPECT_GT(forward_backward(*run, run->loader->next(), 0).parts.at("mimic"), 0);
}

TEST_F(StoredTeachers, ClassesAreMatchedByName) {
  File file = answers_of_live();
  const at::Tensor plain = file.outputs["logits"];
  file.outputs["logits"] = plain.index_select(1, at::tensor(std::vector<std::int64_t>{2, 0, 1}));
  const std::string answers = stored(file, {"rings", "bars", "dots"});
  Config labelled = config({answers, "data.labels=auto"});
  const auto run = make_run(labelled);
  const Batch batch = run->task->samples("train", {0, 5});
  const Record record = teacher_answers(*run, batch).front();
  for (int i = 0; i < 2; ++i) {
    const auto at = std::find(file.names.begin(), file.names.end(), batch.names->name(i == 0 ? 0 : 5));
    EXPECT_TRUE(at::equal(record.logits[i], plain[at - file.names.begin()]));
  }
}

TEST_F(StoredTeachers, WhatTheFileLacksIsNamed) {
  const File whole = answers_of_live();
  const auto without = [&](auto drop) {
    File file;
    std::vector<std::int64_t> kept;
    for (std::size_t i = 0; i < whole.names.size(); ++i)
      if (!drop(whole.names[i])) {
        kept.push_back(static_cast<std::int64_t>(i));
        file.names.push_back(whole.names[i]);
      }
    for (const auto& [name, rows] : whole.outputs)
      file.outputs[name] = rows.index_select(0, at::tensor(kept));
    return file;
  };
  const std::string lost = whole.names.back();  // of train
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(without([&](auto& name) { return name == lost; }))}),
              AllOf(HasSubstr("no answers to 1 of"), HasSubstr(lost)));
  File foreign = whole;
  for (std::string& name : foreign.names) name = "elsewhere/" + name;
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(foreign)}), HasSubstr("train pictures, e.g."));
  // With labels the test part can do without a teacher.
  const std::string no_test = stored(without([](auto& name) { return name.starts_with("test/"); }));
  EXPECT_THAT(refusal(ExitCode::bad_data, {no_test}), HasSubstr("test pictures"));
  const auto run = make_run(config({no_test, "data.labels=auto"}));
  const FinalMeasures measures = measure_final(*run);
  EXPECT_FALSE(measures.student.figures.empty());
  EXPECT_TRUE(measures.teacher().figures.empty());
}

TEST_F(StoredTeachers, FilesThatAreNoneAreRefused) {
  const File whole = answers_of_live();
  const std::string path = folder / "a.safetensors";
  File twice = whole;
  twice.names.back() = twice.names.front();
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(twice)}),
              AllOf(HasSubstr("is there twice"), HasSubstr(twice.names.front())));
  File short_one = whole;
  short_one.outputs["layer3"] = whole.outputs.at("layer3").narrow(0, 0, 5);
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(short_one)}),
              AllOf(HasSubstr("'layer3'"), HasSubstr("expected a row for each of")));
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(whole, {"a", "b"})}),
              HasSubstr("2 classes, but 'logits' has 3"));
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(whole, {"a", "b", "a"})}), HasSubstr("have the same name"));
  File features = whole;
  features.outputs.erase("logits");
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(features)}), HasSubstr("there are no 'logits'"));
  File integers = whole;
  integers.outputs["layer3"] = whole.outputs.at("layer3").to(at::kLong);
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(integers)}),
              HasSubstr("is I64, expected F32, F16 or BF16"));
  File constant = whole;
  constant.outputs["logits"] =
      whole.outputs.at("logits").narrow(0, 0, 1).repeat({whole.outputs.at("logits").size(0), 1});
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(constant)}), HasSubstr("the same for all"));
  File one = whole;
  one.outputs["logits"] = whole.outputs.at("logits").narrow(1, 0, 1).contiguous();
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(one, {})}), HasSubstr("one class only"));
  File no_number = whole;
  no_number.outputs["logits"] = whole.outputs.at("logits").clone();
  no_number.outputs["logits"][7][1] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_THAT(refusal(ExitCode::bad_data, {stored(no_number)}),
              AllOf(HasSubstr("NaN"), HasSubstr(whole.names[7])));
  const std::string answers = stored(whole), bytes = read_file(path);
  for (const std::size_t kept : {std::size_t{5}, std::size_t{100}, bytes.size() - 1}) {
    write_file_atomic(path, bytes.substr(0, kept));
    refusal(ExitCode::bad_data, {answers});
  }
  save_model_folder(folder / "plain", {.architecture = "x"}, whole.outputs);
  EXPECT_THAT(refusal(ExitCode::bad_data, {"teacher.answers=" + folder / "plain/model.safetensors"}),
              HasSubstr("no 'names'"));
}

double least_seconds(int tries, const std::function<void()>& f) {
  double least = std::numeric_limits<double>::infinity();
  for (int i = 0; i < tries; ++i) {
    const auto start = std::chrono::steady_clock::now();
    f();
    least = std::min(least, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  return least;
}

// 50,000 samples of 64 x 8 x 8 in bfloat16: opened in a second, and a batch of 128 read in two milliseconds.
// The rows are a hole in the file.
TEST(StoredAnswers, OfAHugeFileAreQuick) {
  const toy::TempFolder folder;
  constexpr std::int64_t kSamples = 50'000, kRowBytes = 64 * 8 * 8 * 2;
  std::string names;
  for (std::int64_t i = 0; i < kSamples; ++i)
    names += fmt::format("{}\\\"train/some class/{:05}.png\\\"", i == 0 ? "" : ",", i);
  std::string header = fmt::format(
      R"({{"__metadata__":{{"names":"[{}]"}},"features":{{"dtype":"BF16","shape":[{},64,8,8],"data_offsets":[0,{}]}}}})",
      names, kSamples, kSamples * kRowBytes);
  header.resize((header.size() + 7) / 8 * 8, ' ');
  std::string start(8, '\0');
  for (std::size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(header.size() >> (8 * i) & 255);
  const std::string path = folder / "huge.safetensors";
  write_file_atomic(path, start + header);
  std::filesystem::resize_file(path, 8 + header.size() + kSamples * kRowBytes);
  EXPECT_LE(least_seconds(3, [&] { EXPECT_FALSE(StoredAnswers(path).fingerprint().empty()); }), 1.0);
  const StoredAnswers answers(path);
  std::vector<std::int64_t> rows;
  for (std::int64_t i = 0; i < 128; ++i) rows.push_back(i * 7919 % kSamples);
  EXPECT_EQ(answers.row_of("train/some class/00007.png"), 7);
  EXPECT_LE(least_seconds(20, [&] { answers.read(answers.outputs().front(), rows); }), 2e-3);
}

TEST_F(StoredTeachers, ANumberThatIsNoneIsNamedWithItsSample) {
  File file = answers_of_live();
  file.outputs["layer3"] = file.outputs["layer3"].clone();
  const auto rows = static_cast<std::int64_t>(file.names.size());
  file.outputs["layer3"].narrow(0, rows - 5, 5).fill_(std::numeric_limits<float>::quiet_NaN());  // of train
  const Config wrong = config({stored(file)});
  const std::string message = error_of(ExitCode::bad_data, [&] { toy::train_all(wrong, folder / "nan"); });
  EXPECT_THAT(message, AllOf(HasSubstr("'layer3' of the sample 'train/"), HasSubstr("NaN")));
}

TEST_F(StoredTeachers, WhatChangesThePicturesIsRefused) {
  const std::string answers = stored(answers_of_live());
  EXPECT_THAT(refusal(ExitCode::usage, {answers, "data.augment=[flip]"}), HasSubstr("data.augment"));
  EXPECT_THAT(refusal(ExitCode::usage, {answers, "train.teacher_cache=" + folder / "c.cache"}),
              HasSubstr("a file of answers already"));
}

TEST_F(StoredTeachers, AScriptRunsOnlyWhenItsHashIsTrusted) {
  torch::jit::Module module("M");
  module.register_parameter("weight", at::full({3, 3, 3, 3}, 0.1), false);
  module.define(
      "def forward(self, x):\n  y = torch.conv2d(x, self.weight, None, [4, 4], [1, 1])\n"
      "  return {\"layer3\": y, \"logits\": y.mean([2, 3])}\n");
  module.save(folder / "t.pt");
  const std::string script = "teacher.script=" + folder / "t.pt", hash = sha256_file(folder / "t.pt");
  EXPECT_THAT(refusal(ExitCode::refused, {script}), AllOf(HasSubstr("--trust"), HasSubstr(hash)));
  EXPECT_THAT(refusal(ExitCode::refused, {script, "teacher.trust=" + std::string(64, '0')}),
              HasSubstr("another file than the trusted one"));
  const auto run = make_run(config({script, "teacher.trust=" + hash}));
  EXPECT_THAT(describe_run(*run), Contains(HasSubstr("TorchScript")));
  EXPECT_EQ(run->task->class_names(), (Names{"0", "1", "2"}));
  toy::train_all(config({script, "teacher.trust=" + hash}), folder / "s");
}

}  // namespace
}  // namespace mgd
