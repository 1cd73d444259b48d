// Fresh heads, frozen layers, rates by layer.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full_like.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "expect_error.h"
#include "mgd/train/checkpoint.h"
#include "mgd/train/finish.h"
#include "mgd/train/step.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;
using Names = std::vector<std::string>;

bool says(const Run& run, const std::string& part) {
  for (const std::string& line : describe_run(run))
    if (line.find(part) != std::string::npos) return true;
  return false;
}

// A copy of the toy teacher with other names of its classes, for a student to begin with.
std::string start(const toy::TempFolder& folder, const Names& names = {"x", "y", "z"}) {
  toy::teacher(folder);
  LoadedFolder loaded = load_model_folder(folder / "teacher");
  loaded.info.label_names = names;
  save_model_folder(folder / "start", loaded.info, loaded.tensors);
  return "student=" + folder / "start";
}

TensorMap cloned_state(const Module& module) {
  TensorMap state = state_of(module);
  for (auto& [name, tensor] : state) tensor = tensor.clone();
  return state;
}

TEST(FreshHead, OtherClassesGetOneWithANoteAndTheBodyStays) {
  const toy::TempFolder folder;
  const auto run = make_run(toy::config(folder, {start(folder)}));
  EXPECT_TRUE(says(*run, "head fresh: 3 -> 3 classes"));
  const TensorMap given = load_model_folder(folder / "start").tensors, now = state_of(*run->student);
  for (const auto& [name, tensor] : given)
    EXPECT_EQ(at::equal(tensor, now.at(name)), !run->student->of_head(name)) << name;
  // Another seed is another head.
  const auto other = make_run(toy::config(folder, {start(folder), "run.seed=4"}));
  EXPECT_NE(fingerprint_of(*run->student), fingerprint_of(*other->student));
  fs::remove_all(folder.path() / "images/train/dots");
  fs::remove_all(folder.path() / "images/test/dots");
  const auto fewer = make_run(toy::config(folder, {start(folder)}));
  EXPECT_TRUE(says(*fewer, "head fresh: 3 -> 2 classes"));
}

TEST(FreshHead, AFileWithoutAHeadGetsOne) {
  const toy::TempFolder folder;
  start(folder);
  TensorMap body = load_model_folder(folder / "start").tensors;
  body.erase("linear.weight");
  body.erase("linear.bias");
  write_file_atomic(folder / "body.safetensors", tensors_to_safetensors(body));
  const Names student{"student={model: cifar_resnet8, width: 0.5, weights: " + folder / "body.safetensors}"};
  const auto run = make_run(toy::config(folder, student));
  EXPECT_TRUE(says(*run, "head fresh: none -> 3 classes"));
  // A teacher without one serves its features, and kd is refused.
  const std::string teacher =
      "teacher={model: cifar_resnet8, width: 0.5, weights: " + folder / "body.safetensors}";
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         make_run(toy::config(folder, {teacher, "losses=[kd]"}));
                       }),
              HasSubstr("teacher has no classifier"));
  EXPECT_TRUE(
      says(*make_run(toy::config(folder, {teacher, "losses=[cross_entropy, mimic]"})), "features can teach"));
  // Half a body is still refused.
  body.erase("layer3.0.conv1.weight");
  write_file_atomic(folder / "body.safetensors", tensors_to_safetensors(body));
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { make_run(toy::config(folder, student)); }),
              HasSubstr("missing: layer3.0.conv1.weight"));
}

TEST(FreshHead, AHeadUnderAnotherNameIsFound) {
  const toy::TempFolder folder;
  toy::teacher(folder);
  TensorMap tensors = load_model_folder(folder / "teacher").tensors;
  TensorMap renamed;
  for (const auto& [name, tensor] : tensors)
    renamed["module." + (name.starts_with("linear.") ? "classifier" + name.substr(6) : name)] = tensor;
  write_file_atomic(folder / "ddp.safetensors", tensors_to_safetensors(renamed));
  const auto run = make_run(toy::config(
      folder, {"student={model: cifar_resnet8, width: 0.5, weights: " + folder / "ddp.safetensors}"}));
  EXPECT_TRUE(says(*run, "names read without module."));
  EXPECT_TRUE(says(*run, "classifier classifier read as linear"));
  const auto plain = make_run(toy::config(folder, {"student=" + folder / "teacher"}));
  EXPECT_EQ(fingerprint_of(*run->student), fingerprint_of(*plain->student));
}

// The state before and after a training of two epochs.
struct Trained {
  TensorMap before, after;
  bool moved(const std::string& name) const { return !at::equal(before.at(name), after.at(name)); }
};

Trained trained(const Config& config, const fs::path& folder) {
  const auto run = make_run(config);
  Trained result{.before = cloned_state(*run->student), .after = {}};
  toy::Notes notes;
  const RunFolder run_folder(folder, RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  result.after = state_of(*run->student);
  return result;
}

TEST(Freeze, AllButTheHeadLeavesTheBodyToTheBit) {
  const toy::TempFolder folder;
  // Weight decay and the average must not move it either.
  const Config config = toy::config(folder, {start(folder), "train.freeze=all but the head",
                                             "train.weight_decay=0.1", "train.ema_decay=0.9"});
  const Trained result = trained(config, folder / "run");
  for (const auto& [name, tensor] : result.before)
    EXPECT_EQ(result.moved(name), name.starts_with("linear.")) << name;
  // As it is without features that are kept.
  const auto run = make_run(config);
  ASSERT_TRUE(run->short_cut);
  run->short_cut.reset();
  toy::Notes notes;
  const RunFolder run_folder(folder / "slow", RunFolder::Open::create);
  train(*run, run_folder, {}, notes.events());
  for (const auto& [name, tensor] : state_of(*run->student))
    EXPECT_TRUE(at::allclose(tensor, result.after.at(name), 1e-4, 1e-6)) << name;
}

TEST(Freeze, LayersByNameAndTheirNormsKeepTheirStatistics) {
  const toy::TempFolder folder;
  const Trained result = trained(
      toy::config(folder, {start(folder), "train.freeze=[conv1, bn1, 'layer1', '*.bn2']"}), folder / "run");
  for (const auto& [name, tensor] : result.before) {
    const bool frozen = name.starts_with("conv1.") || name.starts_with("bn1.") ||
                        name.starts_with("layer1.") || name.find(".bn2.") != std::string::npos;
    EXPECT_EQ(result.moved(name), !frozen) << name;
  }
}

TEST(Freeze, ANormOfWhichAPartTrainsKeepsMovingItsStatistics) {
  const toy::TempFolder folder;
  const Trained result =
      trained(toy::config(folder, {start(folder), "train.freeze=bn1.weight"}), folder / "run");
  EXPECT_FALSE(result.moved("bn1.weight"));
  EXPECT_TRUE(result.moved("bn1.bias"));
  EXPECT_TRUE(result.moved("bn1.running_mean"));
}

TEST(Freeze, ResumesToTheByteAndRefusesAChange) {
  const toy::TempFolder folder;
  for (const std::string freeze : {"all but the head", "layer1"}) {
    const Names options{start(folder),
                        "train.freeze=" + freeze,
                        "train.schedule=constant",
                        "train.ema_decay=0.9",
                        "train.lr_scale={linear.bias: 0.5}",
                        "train.export_weights=last"};
    const Config whole = toy::config(folder, options);
    const toy::Outcome straight = toy::train_all(whole, folder / ("whole " + freeze));
    Config half = whole;
    half.train.max_steps = 3;
    const fs::path parts = folder / ("parts " + freeze);
    toy::train_all(half, parts);
    const toy::Outcome resumed = toy::train_all(whole, parts, RunFolder::Open::resume);
    EXPECT_EQ(resumed.weights, straight.weights);
    EXPECT_EQ(resumed.optimizer, straight.optimizer);
    EXPECT_EQ(resumed.ema, straight.ema);
    for (const std::string change :
         {"train.freeze=layer2", "train.freeze=[]", "train.lr_scale={linear: 0.5}"}) {
      Names changed = options;
      changed.push_back(change);
      EXPECT_THAT(
          error_of(ExitCode::usage,
                   [&] { toy::train_all(toy::config(folder, changed), parts, RunFolder::Open::resume); }),
          HasSubstr(change.find("freeze") != std::string::npos ? "frozen: was " + freeze : "lr_scale: was"));
    }
  }
}

TEST(Freeze, PatternsThatMeanNothingAreRefused) {
  const toy::TempFolder folder;
  const auto refusal = [&](const Names& options) {
    return error_of(ExitCode::usage, [&] { make_run(toy::config(folder, options)); });
  };
  EXPECT_THAT(refusal({"train.freeze=[layer1, layr2]"}),
              HasSubstr("train.freeze: 'layr2' is no layer or tensor"));
  EXPECT_THAT(refusal({"train.freeze=layer1.0.conv3"}), HasSubstr("did you mean 'layer1.0.conv"));
  EXPECT_THAT(refusal({"train.freeze=all but the haed"}), HasSubstr("did you mean 'all but the head'?"));
  EXPECT_THAT(refusal({"train.lr_scale={'*.bn9': 2}"}), HasSubstr("train.lr_scale: '*.bn9'"));
  EXPECT_THAT(refusal({"train.freeze='*'"}), HasSubstr("nothing of the student is left to train"));
  EXPECT_THAT(refusal({"train.freeze=layer1", "train.lr_scale={layer1.0: 2}"}),
              HasSubstr("'layer1.0' means only what train.freeze keeps"));
  EXPECT_THAT(refusal({"train.lr_scale={linear: 0}"}),
              HasSubstr("train.lr_scale.linear: got 0, expected > 0"));
}

TEST(Freeze, FeaturesAreKeptOnlyWhereTheyComeAgain) {
  const toy::TempFolder folder;
  const std::string student = start(folder), freeze = "train.freeze=all but the head";
  const auto reason = [&](Names more) {
    more.insert(more.begin(), {student, freeze});
    const auto run = make_run(toy::config(folder, more));
    EXPECT_EQ(run->short_cut == nullptr, !run->no_short_cut.empty());
    return run->no_short_cut;
  };
  EXPECT_EQ(reason({}), "");
  EXPECT_THAT(reason({"data.augment=[flip]"}), HasSubstr("data.views=N"));
  EXPECT_EQ(reason({"data.augment=[flip]", "data.views=3"}), "");
  EXPECT_THAT(reason({"data.augment=[mixup]", "data.views=3"}), HasSubstr("mixup joins"));
  EXPECT_THAT(reason({toy::teacher(folder), "losses=[cross_entropy, mimic]"}), HasSubstr("losses.mimic"));
  EXPECT_EQ(reason({toy::teacher(folder), "losses=[cross_entropy, kd]"}), "");
  EXPECT_EQ(make_run(toy::config(folder, {student}))->no_short_cut, "");
}

TEST(Freeze, DropoutInFrontOfTheHeadStaysRandomOverKeptFeatures) {
  const toy::TempFolder folder;
  const Config config = toy::config(folder, {"student={model: mobilenet_v2, width: 0.125}",
                                             "train.freeze=all but the head", "train.epochs=1"});
  const auto kept = make_run(config), live = make_run(config);
  ASSERT_TRUE(kept->short_cut);
  live->short_cut.reset();
  for (std::int64_t step = 0; step < 3; ++step) {
    const double first = forward_backward(*kept, kept->loader->next(), step).loss;
    EXPECT_NEAR(first, forward_backward(*live, live->loader->next(), step).loss, 1e-5 * first);
  }
}

TEST(LearningRate, ScalesTheStepByName) {
  const toy::TempFolder folder;
  const auto step = [&](const Names& options) {
    Names all{"train.max_steps=1", "train.schedule=constant", "train.momentum=0", "train.export_weights=last",
              "train.epochs=1"};
    all.insert(all.end(), options.begin(), options.end());
    static int n = 0;
    return trained(toy::config(folder, all), folder / ("run" + std::to_string(n++)));
  };
  const Trained plain = step({});
  const Trained scaled = step({"train.lr_scale={layer1: 0.5, layer1.0.bn1: 3, '*.bias': 0.1}"});
  for (const auto& [name, tensor] : plain.before) {
    if (!tensor.is_floating_point() || name.find("running") != std::string::npos) continue;
    // The last that fits counts.
    const double factor = name.ends_with(".bias")             ? 0.1
                          : name.starts_with("layer1.0.bn1.") ? 3
                          : name.starts_with("layer1.")       ? 0.5
                                                              : 1;
    const at::Tensor expected = (plain.after.at(name) - tensor) * factor;
    EXPECT_TRUE(at::allclose(scaled.after.at(name) - tensor, expected, 1e-3, 1e-7)) << name;
  }
}

TEST(LearningRate, FollowsTheOptimizerAndTheStart) {
  const toy::TempFolder folder;
  const std::string student = start(folder);
  const auto rate = [&](Names options) {
    options.emplace_back("train.lr=0");
    const auto run = make_run(toy::config(folder, options));
    EXPECT_TRUE(says(*run, fmt::format("lr {}", run->config.train.lr)));
    return run->config.train.lr;
  };
  EXPECT_EQ(rate({}), 0.1);
  EXPECT_EQ(rate({"train.optimizer=adamw"}), 1e-3);
  EXPECT_EQ(rate({student}), 0.01);
  EXPECT_EQ(rate({student, "train.optimizer=adamw"}), 1e-4);
  EXPECT_EQ(rate({student, "train.optimizer=adamw", "train.freeze=all but the head"}), 1e-3);
  EXPECT_EQ(make_run(toy::config(folder, {"train.lr=0.3"}))->config.train.lr, 0.3);
}

TEST(Weights, NaNAndInfinityAreRefusedByName) {
  const toy::TempFolder folder;
  for (const auto& [tensor, value] :
       {std::pair{"layer2.0.conv1.weight", std::nan("")}, std::pair{"bn1.running_var", HUGE_VAL},
        std::pair{"linear.bias", -HUGE_VAL}}) {
    toy::teacher(folder);
    LoadedFolder loaded = load_model_folder(folder / "teacher");
    loaded.tensors.at(tensor).view({-1})[0] = value;
    save_model_folder(folder / "broken", loaded.info, loaded.tensors);
    for (const std::string role : {"student=", "teacher.path="})
      EXPECT_THAT(
          error_of(ExitCode::bad_data, [&] { make_run(toy::config(folder, {role + folder / "broken"})); }),
          HasSubstr(std::string("NaN or infinity in its weights:\n  tensors: ") + tensor));
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { open_model({.path = folder / "broken"}, {}, "model"); }),
                HasSubstr(tensor));
  }
}

TEST(Weights, IntegersInThePlaceOfFloatsAreRefused) {
  const toy::TempFolder folder;
  for (const auto type : {at::kInt, at::kByte, at::kBool}) {
    toy::teacher(folder);
    LoadedFolder loaded = load_model_folder(folder / "teacher");
    at::Tensor& weight = loaded.tensors.at("conv1.weight");
    weight = weight.to(type);
    save_model_folder(folder / "integers", loaded.info, loaded.tensors);
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { open_model({.path = folder / "integers"}, {}, "model"); }),
                HasSubstr("no floating-point numbers: conv1.weight is"));
  }
  // Half precision is a float.
  LoadedFolder loaded = load_model_folder(folder / "teacher");
  for (auto& [name, tensor] : loaded.tensors)
    if (tensor.is_floating_point()) tensor = tensor.to(at::kHalf);
  save_model_folder(folder / "half", loaded.info, loaded.tensors);
  EXPECT_NO_THROW(open_model({.path = folder / "half"}, {}, "model"));
}

}  // namespace
}  // namespace mgd
