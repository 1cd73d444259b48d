// Text folders that are trained on, teach, and leave.
#include "mgd/task/text_models.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <gmock/gmock.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/core/file.h"
#include "mgd/data/text_frame.h"
#include "mgd/io/weights.h"
#include "mgd/train/finish.h"
#include "mgd/train/run.h"
#include "train/toy.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using Files = std::map<std::string, std::string>;

class TextModels : public testing::Test {
 protected:
  TextModels() { toy::write_texts(folder); }

  // A folder with a small BERT for the toy vocabulary, as the override that names it.
  std::string given(const std::string& key, TextHead head, const std::vector<std::string>& labels = {},
                    const Files& files = {}) const {
    TextConfig config = text_config("bert",
                                    {.vocab_size = 120,
                                     .hidden_size = 16,
                                     .layers = 1,
                                     .heads = 2,
                                     .intermediate_size = 32,
                                     .max_positions = 64},
                                    head);
    config.label_names = labels;
    if (!labels.empty()) config.num_labels = static_cast<std::int64_t>(labels.size());
    const std::string path = folder / key;
    save_text_model(path, *make_text_model(config, 7), files);
    return key + "=" + path;
  }
  std::unique_ptr<mgd::Run> open_run(const std::string& task, const std::vector<std::string>& extra) const {
    return make_run(toy::text_config(folder, task, extra));
  }
  std::string refusal(ExitCode code, const std::string& task, const std::vector<std::string>& extra) const {
    return error_of(code, [&] { open_run(task, extra); });
  }
  at::Tensor weight(const std::string& key, const std::string& name) const {
    return load_tensors((folder / key) + "/model.safetensors").at(name);
  }
  static at::Tensor weight(const Model& model, const std::string& name) { return state_of(model).at(name); }
  static std::string lines(const mgd::Run& run) {
    std::string all;
    for (const std::string& line : run.task->describe()) all += line + "\n";
    return all;
  }

  const toy::TempFolder folder;
};

// The data's classes are no and yes, in this order.
TEST_F(TextModels, AClassifierThatIsTrainedOnKeepsItsLabelsByName) {
  const auto run = open_run("classify", {given("student", TextHead::sequence_classification, {"yes", "no"})});
  const at::Tensor old = weight("student", "classifier.weight"),
                   now = weight(*run->student, "classifier.weight");
  EXPECT_TRUE(at::equal(now[0], old[1]));
  EXPECT_TRUE(at::equal(now[1], old[0]));
  EXPECT_THAT(lines(*run), HasSubstr("another order, matched by name"));
  run->task->export_model(*run->student, folder / "out");
  const TextFolder out = load_text_folder(folder / "out");
  EXPECT_THAT(out.config.label_names, ElementsAre("no", "yes"));
  EXPECT_TRUE(at::equal(out.tensors.at("classifier.weight")[1], old[0]));
}

TEST_F(TextModels, ASubsetOfItsClassesIsTakenByName) {
  const auto run =
      open_run("classify", {given("student", TextHead::sequence_classification, {"yes", "maybe", "no"})});
  const at::Tensor old = weight("student", "classifier.weight"),
                   now = weight(*run->student, "classifier.weight");
  ASSERT_EQ(now.size(0), 2);
  EXPECT_TRUE(at::equal(now[0], old[2]));
  EXPECT_TRUE(at::equal(now[1], old[0]));
  EXPECT_THAT(lines(*run), HasSubstr("3 classes, 2 of them the data's"));
}

TEST_F(TextModels, AnUnknownClassIsRefusedWithTheNearest) {
  const std::string student = given("student", TextHead::sequence_classification, {"yes", "noo"});
  EXPECT_THAT(refusal(ExitCode::usage, "classify", {student}),
              AllOf(HasSubstr("'no'"), HasSubstr("did you mean 'noo'")));
}

TEST_F(TextModels, OtherClassesGetAFreshHeadWithANote) {
  for (const auto& [head, labels] :
       {std::pair{TextHead::sequence_classification, std::vector<std::string>{"a", "b", "c"}},
        {TextHead::masked_lm, {}},
        {TextHead::encoder, {}}}) {
    const auto run = open_run("classify", {given("student", head, labels)});
    EXPECT_EQ(weight(*run->student, "classifier.weight").size(0), 2);
    EXPECT_THAT(lines(*run), AllOf(HasSubstr("head fresh"), HasSubstr("begin with fresh weights")));
    const char* body = "encoder.layer.0.attention.self.query.weight";
    const std::string prefix = head == TextHead::encoder ? "" : "bert.";
    EXPECT_TRUE(
        at::equal(weight(*run->student, std::string("bert.") + body), weight("student", prefix + body)));
  }
}

TEST_F(TextModels, ATeachersClassesAreThoseOfTheData) {
  const std::string kd = "losses=[cross_entropy, kd]";
  const auto run =
      open_run("classify", {given("teacher", TextHead::sequence_classification, {"yes", "no"}), kd});
  const at::Tensor old = weight("teacher", "classifier.weight"),
                   now = weight(run->teacher()->live->model(), "classifier.weight");
  EXPECT_TRUE(at::equal(now[0], old[1]));
  EXPECT_TRUE(at::equal(now[1], old[0]));
  EXPECT_THAT(refusal(ExitCode::usage, "classify", {given("teacher", TextHead::masked_lm), kd}),
              HasSubstr("teacher has no classifier"));
  EXPECT_THAT(refusal(ExitCode::usage, "classify",
                      {given("teacher", TextHead::sequence_classification, {"a", "b", "c"}), kd}),
              HasSubstr("teacher has 3 classes, none of them one of the data's"));
}

TEST_F(TextModels, OneClassIsNoTask) {
  std::ofstream(folder / "classify.tsv") << "text\tlabel\nword1\tyes\nword2\tyes\n";
  EXPECT_THAT(refusal(ExitCode::bad_data, "classify", {}),
              HasSubstr("all 2 training rows have the label 'yes'"));
}

// Found when the run is opened, and so by --dry-run.
TEST_F(TextModels, LengthsAreCheckedBeforeTheFirstStep) {
  for (const char* task : {"mlm", "clm", "classify", "embed", "denoise"}) {
    const std::string longest = refusal(ExitCode::usage, task, {"student.max_positions=16"});
    EXPECT_THAT(longest, AllOf(HasSubstr("text.max_length: got 40"), HasSubstr("the student"),
                               HasSubstr("takes at most 16; write text.max_length: 16")))
        << task;
    EXPECT_NO_THROW(open_run(task, {"student.max_positions=16", "text.max_length=16"})) << task;
  }
  EXPECT_NO_THROW(open_run("mlm", {"student.max_positions=40", "text.max_length=4000", "data.validation=0"}))
      << "no text is longer than that";
  EXPECT_THAT(refusal(ExitCode::usage, "mlm", {"student.max_positions=16", "text.samples=blocks"}),
              HasSubstr("tokens, but the student (bert) takes at most 16"));
}

TEST_F(TextModels, ScoresAreCheckedBeforeTheFirstStep) {
  EXPECT_THAT(refusal(ExitCode::usage, "embed", {"losses=[{name: cosine_similarity, max_score: 0.5}]"}),
              HasSubstr("got the score 1, above max_score 0.5; write max_score: 1"));
  EXPECT_NO_THROW(open_run("embed", {"losses=[{name: cosine_similarity, max_score: 1}]"}));
}

TEST_F(TextModels, WhatASentenceEncoderBroughtLeavesWithIt) {
  const Files files = {
      {"sentence_bert_config.json", R"({"max_seq_length": 32})"},
      {"config_sentence_transformers.json", R"({"prompts": {"q": "word1 "}, "default_prompt_name": "q"})"}};
  const std::string student = given("student", TextHead::encoder, {}, files);
  const auto run = open_run("embed", {student});
  EXPECT_THAT(lines(*run), HasSubstr("before each text: 'word1 '"));
  run->task->export_model(*run->student, folder / "out");
  for (const auto& [name, bytes] : files) EXPECT_EQ(read_file(folder / ("out/" + name)), bytes);
  EXPECT_TRUE(fs::exists(folder / "out/tokenizer.json"));
  const auto plain = open_run("embed", {student, "text.prompt=word2"});
  EXPECT_NE(plain->task->identity().at("data"), run->task->identity().at("data"));
  // One made from scratch is as long as its teacher.
  const auto taught = open_run("embed", {given("teacher", TextHead::encoder, {}, files)});
  taught->task->export_model(*taught->student, folder / "out");
  EXPECT_THAT(read_file(folder / "out/sentence_bert_config.json"), HasSubstr("\"max_seq_length\": 32"));
}

// What a causal model learned to begin and to end with is what its folder says.
TEST_F(TextModels, ACausalModelsFolderSaysHowTextsBeginAndEnd) {
  const auto run = open_run("clm", {});
  const Tokenizer tokens = Tokenizer::load(folder / "tokens");
  const TextFrame frame = document_frame(tokens);
  ASSERT_EQ(frame.before.ids.size(), 1U);
  ASSERT_EQ(frame.after.ids.size(), 1U);
  run->task->export_model(*run->student, folder / "out");
  const TextFolder out = load_text_folder(folder / "out");
  EXPECT_EQ(out.config.bos_id, frame.before.ids[0]);
  EXPECT_EQ(out.config.eos_id, frame.after.ids[0]);
  EXPECT_THAT(out.tokenizer.at("generation_config.json"),
              HasSubstr(fmt::format("\"eos_token_id\": {}", frame.after.ids[0])));
  const Tokenizer written = Tokenizer::load(folder / "out");
  const std::vector<std::int64_t> text = tokens.encode("word1 word2", {.add_special = false}).ids;
  std::vector<std::int64_t> prompt = frame.before.ids;
  prompt.insert(prompt.end(), text.begin(), text.end());
  EXPECT_EQ(written.encode("word1 word2").ids, prompt);
  EXPECT_EQ(written.special_tokens().eos, frame.after.ids[0]);
  // Documents that are read with the written tokenizer are the same.
  EXPECT_EQ(document_frame(written).before.ids, frame.before.ids);
  EXPECT_EQ(document_frame(written).after.ids, frame.after.ids);
}

TEST_F(TextModels, WhatWasReadIsCountedOnTheConsole) {
  std::ofstream text(folder / "train.txt", std::ios::app | std::ios::binary);
  text << "\n\nbad \xFF byte\n";
  text.close();
  const auto run = open_run("mlm", {});
  EXPECT_THAT(lines(*run),
              AllOf(HasSubstr("1 places that are no UTF-8"), HasSubstr("2 blank lines left out")));
  EXPECT_TRUE(run->task->unread(*run->loader).empty()) << "all of it was read";
}

}  // namespace
}  // namespace mgd
