// Static models against scripts/fixtures/make_static.py: those that are made, and those of other libraries.
#include <ATen/TensorOperators.h>
#include <ATen/ops/abs.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/linalg_vector_norm.h>
#include <ATen/ops/max.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sign.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/tensor.h>
#include <gmock/gmock.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "expect_error.h"
#include "mgd/core/file.h"
#include "mgd/eval/text_eval.h"
#include "mgd/eval/text_folder.h"
#include "mgd/format/safetensors.h"
#include "mgd/io/weights.h"
#include "mgd/teach/distill_static.h"
#include "mgd/text/pruned_vocabulary.h"
#include "mgd/train/run.h"
#include "train/toy.h"

namespace mgd {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::HasSubstr;

const std::string kStatic = std::string(MGD_SOURCE_DIR "/tests/train/fixtures") + "/static/";

std::vector<std::string> texts() {
  return json::parse(read_file(kStatic + "texts.json")).get<std::vector<std::string>>();
}

double difference(const at::Tensor& a, const at::Tensor& b) {
  return (a.to(at::kDouble) - b.to(at::kDouble)).abs().max().item<double>();
}

// A folder as the verbs open it.
struct StaticModelUnderTest {
  explicit StaticModelUnderTest(const std::string& folder)
      : model(open_text_folder(folder).model), tokenizer(unframed(Tokenizer::load(folder), folder)) {}

  at::Tensor of_ids(const std::vector<std::vector<std::int64_t>>& sequences) {
    std::vector<std::int64_t> ids;
    Batch batch;
    batch.tokens.offsets = {0};
    for (const auto& sequence : sequences) {
      ids.insert(ids.end(), sequence.begin(), sequence.end());
      batch.tokens.offsets.push_back(static_cast<std::int64_t>(ids.size()));
    }
    batch.tokens.ids = at::tensor(ids, at::kLong);
    return answer(*model, batch, {}).embedding;
  }
  at::Tensor of(const std::vector<std::string>& all) {
    std::vector<std::vector<std::int64_t>> sequences;
    for (const std::string& text : all)
      sequences.push_back(tokenizer.encode(text, {.max_length = model->max_tokens()}).ids);
    return of_ids(sequences);
  }

  std::unique_ptr<TextModel> model;
  Tokenizer tokenizer;
};

class Static : public testing::Test {
 protected:
  StaticOutcome make(StaticOptions options, const std::string& teacher = kStatic + "encoder") {
    if (options.weights != "none" && options.sif == StaticOptions{}.sif)
      options.sif = 1e-3;  // of the fixture
    return distill_static(teacher, fs::path(folder / "out"), options,
                          [&](const std::string& line) { notes.push_back(line); });
  }
  std::string refusal(const std::string& teacher, const StaticOptions& options = {.components = 5}) {
    return error_of(ExitCode::usage, [&] { make(options, teacher); });
  }

  const toy::TempFolder folder;
  std::vector<std::string> notes;
};

TEST_F(Static, TablesAreThoseOfTheFormulas) {
  const auto tokens = json::parse(read_file(kStatic + "tokens.json")).get<std::vector<std::string>>();
  for (const auto& [name, expected] : load_tensors(kStatic + "expected.safetensors")) {
    SCOPED_TRACE(name);
    const std::string vectors = name.substr(0, name.find('.'));
    const std::string rest = name.substr(vectors.size() + 1), kind = rest.substr(rest.find('.') + 1);
    make({.vectors = vectors,
          .components = std::stoll(rest),
          .weights = kind == "none" ? "none" : "zipf",
          .counts = kind == "counts" ? kStatic + "corpus.txt" : ""});
    const at::Tensor table = load_tensors((folder / "out") + "/model.safetensors").at("embeddings");
    ASSERT_EQ(table.sizes(), expected.sizes());
    // A component has two signs.
    const at::Tensor signs = (table * expected).sum(0).sign();
    EXPECT_LT(difference(table * signs, expected), 2e-5 * expected.abs().max().item<double>());
    const Tokenizer left = Tokenizer::load(folder / "out");
    ASSERT_EQ(left.vocab_size(), static_cast<std::int64_t>(tokens.size()));
    for (std::size_t i = 0; i < tokens.size(); ++i)
      EXPECT_EQ(left.token_of(static_cast<std::int64_t>(i)), tokens[i]);
  }
}

TEST_F(Static, WhatIsLeftOutIsSaid) {
  const StaticOutcome outcome = make({.components = 5, .counts = kStatic + "corpus.txt"});
  EXPECT_EQ(outcome.placeholders, 3);
  EXPECT_EQ(outcome.added, 3);
  EXPECT_THAT(notes, AllOf(Contains("3 placeholders [unusedN] are left out of the vocabulary"),
                           Contains("3 special and added tokens are left out of the vocabulary"),
                           Contains(HasSubstr("tokens are not in " + kStatic + "corpus.txt"))));
}

TEST_F(Static, WhatIsRepairedOfTheCountsIsSaid) {
  const std::string counts = folder / "counts.txt";
  write_file_atomic(counts, "the cat\n\xFF sat \xE9\non the mat\n");
  make({.components = 5, .counts = counts});
  EXPECT_THAT(notes, Contains(counts + ": 2 places that are no UTF-8, read as U+FFFD"));
  notes.clear();
  write_file_atomic(counts, std::string(1 << 20, 'x') + " the cat sat\n");
  make({.components = 5, .counts = counts});
  EXPECT_THAT(notes, Contains(HasSubstr(counts + ": 1 lines of more than ")));
  notes.clear();
  make({.components = 5, .counts = kStatic + "corpus.txt"});
  EXPECT_THAT(notes, testing::Not(Contains(testing::AnyOf(HasSubstr("UTF-8"), HasSubstr("in parts")))));
}

// Bags: neither the order of tokens nor unknown ones change a vector, and each is of length 1 or 0.
TEST_F(Static, ATextIsABagOfItsKnownTokens) {
  make({.components = 5});
  StaticModelUnderTest made(folder / "out");
  const at::Tensor vectors = made.of({"the cat sat on the mat", "mat the on sat cat the",
                                      "the zebra cat sat quagga on the mat zebra", "zebra quagga", ""});
  EXPECT_LT(difference(vectors[0], vectors[1]), 1e-6);
  EXPECT_LT(difference(vectors[0], vectors[2]), 1e-6);
  EXPECT_EQ(vectors.slice(0, 3).abs().max().item<double>(), 0);
  EXPECT_LT(difference(at::linalg_vector_norm(vectors.slice(0, 0, 3), 2, {1}), at::tensor({1.0, 1.0, 1.0})),
            1e-6);
  const at::Tensor table = load_tensors((folder / "out") + "/model.safetensors").at("embeddings");
  EXPECT_EQ(table[*made.tokenizer.unknown_id()].abs().max().item<double>(), 0);
}

TEST_F(Static, AWholeVocabularyKeepsItsIdsAndGivesTheSameVectors) {
  make({.components = 5});
  const at::Tensor pruned = StaticModelUnderTest(folder / "out").of(texts());
  make({.components = 5, .vocabulary = "whole"});
  EXPECT_THAT(notes, Contains("3 placeholders [unusedN] keep their ids, and vectors of 0"));
  StaticModelUnderTest whole(folder / "out");
  EXPECT_EQ(whole.model->config().vocab_size, Tokenizer::load(kStatic + "encoder").vocab_size());
  EXPECT_EQ(whole.tokenizer.id_of("cat"), Tokenizer::load(kStatic + "encoder").id_of("cat"));
  // But for "[CLS] the [MASK]", whose brackets are text in one and tokens without a vector in the other.
  const at::Tensor vectors = whole.of(texts());
  for (std::int64_t i = 0; i < pruned.size(0); ++i)
    if (!texts()[static_cast<std::size_t>(i)].starts_with("[CLS]")) {
      EXPECT_LT(difference(vectors[i], pruned[i]), 1e-6) << i;
    }
}

TEST_F(Static, FoldersOfOtherLibrariesGiveTheirVectors) {
  const TensorMap expected = load_tensors(kStatic + "package.safetensors");
  for (const auto& [name, theirs] : expected) {
    SCOPED_TRACE(name);
    std::vector<std::string> all = texts();
    if (name == "modules") std::erase(all, "");
    const at::Tensor ours = StaticModelUnderTest(kStatic + name).of(all);
    ASSERT_EQ(ours.sizes(), theirs.sizes());
    // The package keeps and gives float16 in one of them, and sums it so.
    const double tolerance = name == "package_float16" ? 2e-3 : 1e-6;
    for (std::int64_t i = 0; i < ours.size(0); ++i)
      EXPECT_LT(difference(ours[i], theirs[i]), tolerance * std::max(1.0, theirs.abs().max().item<double>()))
          << all[static_cast<std::size_t>(i)];
  }
}

TEST_F(Static, WhatIsSavedIsTheSameModel) {
  for (const char* name : {"package_quantized", "package_float64", "modules"}) {
    SCOPED_TRACE(name);
    const OpenedText opened = open_text_folder(kStatic + name);
    save_text_model(folder / "again", *opened.model, opened.tokenizer);
    const OpenedText again = open_text_folder(folder / "again");
    const TensorMap ours = state_of(*again.model), theirs = state_of(*opened.model);
    ASSERT_EQ(ours.size(), theirs.size());
    for (const auto& [key, tensor] : theirs) EXPECT_EQ(difference(ours.at(key), tensor), 0) << key;
    EXPECT_EQ(again.model->config().normalize, opened.model->config().normalize);
    EXPECT_EQ(again.model->max_tokens(), opened.model->max_tokens());
  }
}

TEST_F(Static, OtherTensorsAreRefusedByName) {
  const std::string copy = folder / "copy";
  const auto refusal_of = [&](const TensorMap& tensors) {
    fs::remove_all(copy);
    fs::copy(kStatic + "package_short", copy);
    write_file_atomic(fs::path(copy) / "model.safetensors", tensors_to_safetensors(tensors));
    return error_of(ExitCode::bad_data, [&] { open_text_folder(copy); });
  };
  const at::Tensor table = at::randn({32, 6});
  EXPECT_THAT(refusal_of({{"embeddings", table}, {"head", table}}),
              HasSubstr("'head' is no tensor of a static model"));
  EXPECT_THAT(refusal_of({{"weights", table}}), HasSubstr("'embeddings': got none"));
  EXPECT_THAT(refusal_of({{"embeddings", table.to(at::kLong)}}), HasSubstr("got (32, 6) of Long"));
  EXPECT_THAT(refusal_of({{"embeddings", table}, {"weights", at::randn({31})}}), HasSubstr("expected (32)"));
  EXPECT_THAT(refusal_of({{"embeddings", table}, {"mapping", at::tensor({0, 32})}}),
              HasSubstr("got rows from 0 to 32, expected 0 to 31"));
  EXPECT_THAT(refusal_of({{"embeddings", table / 0.0}}), HasSubstr("NaN or infinity"));
}

TEST_F(Static, WrongTeachersAreRefused) {
  EXPECT_THAT(refusal(kStatic + "package_short"), HasSubstr("it is a static model already"));
  EXPECT_THAT(refusal(kStatic), HasSubstr("a model of pictures, or none"));
  fs::copy(kStatic + "encoder", folder / "bare");
  EXPECT_TRUE(fs::remove(fs::path(folder / "bare") / "modules.json"));
  EXPECT_THAT(refusal(folder / "bare"),
              AllOf(HasSubstr("no sentence encoder"), HasSubstr("config.json says BertModel")));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { make({}, folder / "nowhere"); }),
              HasSubstr("no such model folder"));
  EXPECT_THAT(refusal(kStatic + "encoder", {.components = 13}),
              AllOf(HasSubstr("--components: got 13"), HasSubstr("have 12 numbers")));
  EXPECT_THAT(refusal(kStatic + "encoder", {.components = 5, .weights = "none", .sif = 0.1}),
              HasSubstr("--sif"));
  EXPECT_THAT(refusal(kStatic + "encoder", {.components = 5, .weights = "none", .counts = "x"}),
              HasSubstr("--counts"));
  write_file_atomic(folder / "empty.txt", "zebra\n\n");
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { make({.components = 5, .counts = folder / "empty.txt"}); }),
              HasSubstr("no token of the vocabulary is in it"));
}

// It learns from its own encoder: ids are the same, and the frame of the encoder's tokenizer does not count.
TEST_F(Static, AStudentOfItsEncoderComesNearer) {
  make({.components = 0, .weights = "none", .vocabulary = "whole"});
  std::string lines;
  for (int i = 0; i < 16; ++i)
    for (const char* text : {"the cat sat on the mat", "a dog sat", "the cats, the dogs", "b c d e a mat"})
      lines += std::string(text) + "\n";
  write_file_atomic(folder / "sentences.txt", lines);
  const Config config =
      read_config(parse_yaml("task: embed\n"
                             "data: {path: " +
                                 folder.path().string() +
                                 ", train: sentences.txt}\n"
                                 "teacher: " +
                                 kStatic +
                                 "encoder\n"
                                 "student: " +
                                 (folder / "out") +
                                 "\n"
                                 "losses: [embedding]\n"
                                 "train: {optimizer: adamw, lr: 0.02, batch_size: 16, epochs: 12}\n"
                                 "run: {dir: " +
                                 (folder / "run") + ", seed: 1, threads: 1}\n",
                             "test"),
                  folder.path());
  const auto run = make_run(config);
  toy::Notes events;
  train(*run, RunFolder(folder / "run", RunFolder::Open::create), {}, events.events());
  run->task->export_model(*run->student, folder / "student");
  StaticModelUnderTest before(folder / "out"), after(folder / "student");
  Batch batch;
  OpenedText teacher = open_text_folder(kStatic + "encoder");
  const Encoding encoding = Tokenizer::load(kStatic + "encoder").encode("the cat sat on the mat");
  batch.tokens = {.ids = at::tensor(encoding.ids, at::kLong),
                  .positions = at::arange(static_cast<std::int64_t>(encoding.size())),
                  .offsets = {0, static_cast<std::int64_t>(encoding.size())}};
  const at::Tensor wanted = answer(*teacher.model, batch, {}).embedding;
  const double far = (before.of({"the cat sat on the mat"}) - wanted).norm().item<double>();
  EXPECT_LT((after.of({"the cat sat on the mat"}) - wanted).norm().item<double>(), 0.5 * far);
}

TEST_F(Static, ItHasNoLayersAndNoOtherHead) {
  EXPECT_THAT(
      error_of(ExitCode::usage, [&] { open_text_folder(kStatic + "package_short", {.layers = {0}}); }),
      HasSubstr("has no layers"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] { open_text_folder(kStatic + "package_short", {.head = TextHead::masked_lm}); }),
              HasSubstr("no head for masked_lm"));
}

}  // namespace
}  // namespace mgd
