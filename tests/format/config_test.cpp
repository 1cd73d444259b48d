#include "mgd/format/config.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>

#include "mgd/core/error.h"
#include "mgd/format/builtin_recipes.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;

Config read(const std::string& text, const std::vector<std::string>& overrides = {},
            const fs::path& base = "/recipes") {
  Node tree = parse_yaml(text, "r.yaml");
  for (const auto& assignment : overrides) apply_override(tree, assignment);
  return read_config(std::move(tree), base);
}

std::string refusal(const std::string& text, const std::vector<std::string>& overrides = {}) {
  try {
    read(text, overrides);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "accepted";
}

// A folder that goes away with the test.
struct Folder {
  fs::path path = fs::temp_directory_path() / ("mgd_config_test_" + std::to_string(::getpid()));
  Folder() { fs::create_directories(path); }
  ~Folder() { fs::remove_all(path); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path / name) << text;
    return (path / name).string();
  }
};

std::pair<ExitCode, std::string> load_refusal(const std::string& recipe,
                                              const std::vector<std::string>& overrides = {}) {
  try {
    load_config(recipe, overrides);
  } catch (const Error& error) {
    return {error.code(), error.what()};
  }
  return {ExitCode::ok, "accepted"};
}

TEST(Config, RelativePathsBelongToWhoeverWroteThem) {
  const Config c = read("{data: {path: ../d.tar}, teacher: t/model, student: {model: m, weights: /abs/w}}",
                        {"student.weights=w.safetensors"});
  EXPECT_EQ(c.data.path, "/d.tar");
  EXPECT_EQ(c.teacher.path, "/recipes/t/model");
  EXPECT_EQ(c.student.weights, (fs::current_path() / "w.safetensors").string());
  EXPECT_EQ(c.teacher.weights, "");
  EXPECT_EQ(read("student: {model: m, weights: /abs/w}").student.weights, "/abs/w");
  EXPECT_EQ(read("", {"teacher=here"}).teacher.path, (fs::current_path() / "here").string());
}

TEST(Config, WithoutLossesThereIsCrossEntropy) {
  EXPECT_EQ(to_yaml_flow(read("train: {label_smoothing: 0.1}").losses.at(0)),
            "{name: cross_entropy, weight: 1, label_smoothing: 0.1}");
  EXPECT_EQ(read("losses: [kd]").losses.size(), 1U);
  EXPECT_EQ(
      refusal("{losses: [kd], train: {label_smoothing: 0.1}}"),
      "r.yaml:1:41: train.label_smoothing: it belongs to the default loss, and this recipe lists its losses; "
      "write label_smoothing in the cross_entropy entry");
}

TEST(Config, KeysAreCheckedWithPlaceAndSuggestion) {
  EXPECT_EQ(refusal("train:\n  epohcs: 3\n"),
            "r.yaml:2:3: unknown key 'epohcs' in train; did you mean 'epochs'?");
  EXPECT_EQ(refusal("trian: {}"), "r.yaml:1:1: unknown key 'trian'; did you mean 'train'?");
  EXPECT_EQ(refusal("train: {lr: fast}"), "r.yaml:1:13: train.lr: got 'fast', expected a number");
  EXPECT_EQ(refusal("run: {device: mps}"), "r.yaml:1:15: run.device: got 'mps', expected one of cpu, cuda");
  EXPECT_EQ(refusal("", {"train.lr=-1"}), "command line: train.lr=-1: train.lr: got -1, expected >= 0");
}

TEST(Config, TasksAreNamed) {
  EXPECT_EQ(read("task: mlm").task, "mlm");
  EXPECT_EQ(refusal("task: clasify"),
            "r.yaml:1:7: task: got 'clasify', expected one of classify, mlm, clm, denoise, embed; did you "
            "mean 'classify'?");
}

TEST(Config, TextIsReadWhereATaskOrATokenizerSaysSo) {
  EXPECT_FALSE(read("").reads_text());
  EXPECT_TRUE(read("task: clm").reads_text());
  EXPECT_TRUE(read("text: tok.json").reads_text());
  EXPECT_EQ(read("text: tok.json").text.tokenizer, "/recipes/tok.json");
  EXPECT_EQ(read("objective: {}").objective.ratio_for("mlm"), 0.15);
  EXPECT_EQ(read("objective: {}").objective.ratio_for("denoise"), 0.3);
  EXPECT_EQ(read("objective: {mask_ratio: 0.2}").objective.ratio_for("denoise"), 0.2);
}

TEST(Config, TextOptionsAreCheckedWithPlaceAndSuggestion) {
  EXPECT_EQ(refusal("text: {max_lenght: 3}"),
            "r.yaml:1:8: unknown key 'max_lenght' in text; did you mean 'max_length'?");
  EXPECT_EQ(refusal("text: {max_length: 0}"), "r.yaml:1:20: text.max_length: got 0, expected 1 ... 1048576");
  EXPECT_EQ(refusal("text: {samples: rows}"),
            "r.yaml:1:17: text.samples: got 'rows', expected one of documents, blocks, packed");
  EXPECT_EQ(
      refusal("{task: embed, text: {samples: packed}}"),
      "r.yaml:1:31: text.samples: got packed, but with task embed each document has a target of its own; "
      "use documents");
  EXPECT_EQ(refusal("text: {columns: [a, b, c]}"),
            "r.yaml:1:17: text.columns: got 3 columns, expected that of the text, or two of a pair");
  EXPECT_EQ(refusal("objective: {mask_ratio: -0.5}"),
            "r.yaml:1:25: objective.mask_ratio: got -0.5, expected 0 ... 1, or -1 for the task's own");
  EXPECT_EQ(refusal("task: mlm\nobjective: {mask_ratio: 0}"),
            "r.yaml:2:25: objective.mask_ratio: got 0, but a masked model learns from what is hidden");
  EXPECT_EQ(refusal("objective: {random_frac: 0.3}"),
            "r.yaml:1:26: objective.random_frac: got 0.3 with mask_frac 0.8, expected at most 1 together");
}

TEST(Config, AFolderKnowsItsSizes) {
  EXPECT_THAT(refusal("{task: mlm, student: {path: /m, dropout: 0.5}}"),
              testing::HasSubstr("student.dropout: got 0.5, but /m knows its sizes"));
  EXPECT_THAT(refusal("{task: mlm, teacher: {path: /m}, student: {from: teacher, heads: 4}}"),
              testing::HasSubstr("student.heads: got 4, but /m knows its sizes"));
  EXPECT_THAT(refusal("{task: mlm, teachers: [{name: a, path: /m, hidden_size: 8}]}"),
              testing::HasSubstr("teachers.0.hidden_size: got 8, but /m knows"));
  EXPECT_EQ(read("{task: mlm, student: {path: /m, dropout: -1}}").student.path, "/m") << "the default";
}

TEST(Config, AScriptTeachesPictures) {
  EXPECT_EQ(read("teacher: {script: t.pt, trust: abc}").teacher.script, "/recipes/t.pt");
  EXPECT_THAT(refusal("student: {script: /t.pt}"), testing::HasSubstr("student.script: it can teach"));
  EXPECT_THAT(refusal("teacher: {script: /t.pt, model: resnet18}"),
              testing::HasSubstr("teacher.model: got both model and script"));
  EXPECT_THAT(refusal("{task: mlm, teacher: {script: /t.pt}}"), testing::HasSubstr("this task reads texts"));
  EXPECT_EQ(read("teacher: {answers: a.safetensors}").teacher.answers, "/recipes/a.safetensors");
  EXPECT_THAT(refusal("teacher: {script: /t.pt, answers: /a}"),
              testing::HasSubstr("both answers and script"));
  EXPECT_THAT(refusal("teacher: {model: resnet18, weights: /w, trust: abc}"),
              testing::HasSubstr("teacher.trust: it belongs to a TorchScript file"));
}

TEST(Config, ValuesMustAgree) {
  EXPECT_EQ(refusal("train: {batch_size: 10, micro_batch_size: 4}"),
            "r.yaml:1:43: train.micro_batch_size: got 4, expected a divisor of batch_size (10)");
  EXPECT_EQ(refusal("train: {batch_size: 10, micro_batch_size: 20}"),
            "r.yaml:1:43: train.micro_batch_size: got 20, expected at most batch_size (10)");
  EXPECT_EQ(refusal("train: {milestones: [0.5, 0.5]}"),
            "r.yaml:1:21: train.milestones: got [0.5, 0.5], expected increasing fractions");
  EXPECT_EQ(refusal("teacher: {path: p, model: m}"),
            "r.yaml:1:27: teacher.model: got both model and path (p); a model folder knows its architecture, "
            "give one of "
            "the two");
  EXPECT_NE(refusal("student: {path: p, weights: w}").find("got both weights and path (p)"),
            std::string::npos);
  EXPECT_EQ(refusal("{task: mlm, student: {weights: w}}"),
            "r.yaml:1:32: student.weights: weights need an architecture; add student.model");
  EXPECT_EQ(refusal("data: {mean: [0.5], std: [1, 1]}"),
            "r.yaml:1:26: data.std: got 2 values, expected 1 as in data.mean");
  EXPECT_EQ(refusal("train: {momentum: 1}"), "r.yaml:1:19: train.momentum: got 1, expected less than 1");
  EXPECT_EQ(refusal("train: {nesterov: true, momentum: 0}"),
            "r.yaml:1:19: train.nesterov: got true with momentum 0; Nesterov's step needs momentum");
  EXPECT_EQ(refusal("train: {warmup_epochs: 31}"),
            "r.yaml:1:24: train.warmup_epochs: got 31, expected at most epochs (30)");
}

TEST(Config, ResolvedYamlReadsBackTheSame) {
  for (const BuiltinRecipe& recipe : builtin_recipes()) {
    const Config first = load_config(std::string(recipe.name), {"train.lr=5e-4"});
    const std::string yaml = config_to_yaml(first);
    EXPECT_EQ(config_to_yaml(read_config(parse_yaml(yaml, "config.yaml"), "/elsewhere")), yaml)
        << recipe.name;
  }
  // The default loss is written out; reading it back must not trip over train.label_smoothing.
  const std::string yaml = config_to_yaml(read("train: {label_smoothing: 0.1}"));
  EXPECT_EQ(config_to_yaml(read(yaml)), yaml);
}

TEST(Config, OriginsAreNamed) {
  const std::string text =
      config_with_origins(read("train:\n  lr: 0.2\nlosses:\n  - kd\n  - {name: mgd, weight: 2}\n",
                               {"losses.1.weight=3", "run.seed=5"}));
  const auto line = [&](const std::string& key) {
    std::size_t begin = text.find("\n" + key + " ");
    EXPECT_NE(begin, std::string::npos) << key << "\n" << text;
    return text.substr(begin + 1, text.find('\n', begin + 1) - begin - 1);
  };
  EXPECT_EQ(line("train.lr").substr(line("train.lr").find("# ")), "# r.yaml:2:7");
  EXPECT_NE(line("losses.0.name").find("= kd "), std::string::npos);
  EXPECT_NE(line("losses.0.name").find("# r.yaml:4:5"), std::string::npos);
  EXPECT_NE(line("losses.1.weight").find("# command line: losses.1.weight=3"), std::string::npos);
  EXPECT_NE(line("run.seed").find("# command line: run.seed=5"), std::string::npos);
  EXPECT_NE(line("train.epochs").find("# default"), std::string::npos);
  EXPECT_EQ(line("train.lr").find('#'), line("train.epochs").find('#'));
}

TEST(Config, SchemaListsEveryKeyOnNarrowLines) {
  const std::string schema = config_schema();
  for (const OptionInfo& info : describe_options<Config>()) {
    EXPECT_NE(schema.find("\n" + info.name + " "), std::string::npos) << info.name;
    EXPECT_FALSE(info.help.empty()) << info.name;
  }
  std::size_t begin = 0;
  for (std::size_t end; (end = schema.find('\n', begin)) != std::string::npos; begin = end + 1)
    EXPECT_LE(end - begin, 110U) << schema.substr(begin, end - begin);
  EXPECT_NE(schema.find("[one of sgd, adamw]"), std::string::npos);
}

TEST(Recipes, ComeWithTheProgram) {
  const std::vector<std::string> expected = {"cifar10-resnet56-resnet8", "digits-distill", "digits-student",
                                             "digits-teacher"};
  const auto names = builtin_recipe_names();
  for (const auto& name : expected) EXPECT_EQ(std::count(names.begin(), names.end(), name), 1) << name;
  const Config c = load_config("cifar10-resnet56-resnet8", {"train.epochs=3"});
  EXPECT_EQ(c.train.epochs, 3);
  EXPECT_EQ(c.run.dir, "runs/cifar10-resnet56-resnet8");
  EXPECT_EQ(c.data.path, (fs::current_path() / "cifar10.tar.xz").string());
  EXPECT_EQ(to_yaml_flow(c.data.augment.at(0)), "{name: crop, value: 4}");
}

TEST(Recipes, AreFoundAsFiles) {
  const Folder folder;
  const std::string file = folder.write("mine.yaml", "data: d.tar\n");
  const Config c = load_config(file, {});
  EXPECT_EQ(c.data.path, (folder.path / "d.tar").string());
  EXPECT_EQ(c.run.dir, "runs/mine");
  EXPECT_EQ(load_config(file, {"run.dir=out"}).run.dir, "out");
}

TEST(Recipes, MissingOnesNameTheNearest) {
  const Folder folder;
  const std::string file = folder.write("mine.yaml", "");
  const auto [code, message] = load_refusal((folder.path / "mien.yaml").string());
  EXPECT_EQ(code, ExitCode::missing_input);
  EXPECT_NE(message.find("did you mean '" + file + "'?"), std::string::npos) << message;
  EXPECT_EQ(load_refusal("digits-distil").second,
            "no recipe 'digits-distil'; did you mean 'digits-distill'?");
  EXPECT_NE(load_refusal("zzzz").second.find("known: cifar10-resnet56-resnet8, demo-text-clm"),
            std::string::npos);
}

TEST(Recipes, FilesThatAreNoRecipes) {
  const Folder folder;
  EXPECT_EQ(load_refusal(folder.path.string()).first, ExitCode::refused);
  const fs::path large = folder.path / "large.yaml";
  std::ofstream(large).put('\n');
  fs::resize_file(large, 100'000'000);
  const auto start = std::chrono::steady_clock::now();
  const auto [code, message] = load_refusal(large.string());
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
  EXPECT_EQ(code, ExitCode::usage);
  EXPECT_EQ(message, large.string() + ":1:1: 100000000 bytes, at most 1000000 are read as a recipe");
}

}  // namespace
}  // namespace mgd
