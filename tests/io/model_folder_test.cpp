#include "mgd/io/model_folder.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>

#include <nlohmann/json.hpp>

#include "io/support.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

using nlohmann::json;
using testing::HasSubstr;

ModelFolderInfo info() {
  return {.architecture = "resnet20",
          .num_classes = 2,
          .label_names = {"cat", "d\xc3\xb6g \"<script>\"\n"},
          .in_channels = 1,
          .height = 28,
          .width = 30,
          .width_multiplier = 0.25,
          .mean = {0.1307},
          .std = {0.3081},
          .interpolation = "bicubic",
          .crop_pct = 0.875};
}

class ModelFolder : public Scratch {};

TEST_F(ModelFolder, ComesBack) {
  const std::string path = (folder / "student").string();
  for (int round = 0; round < 2; ++round) {  // the second replaces the first
    save_model_folder(path, info(), {{"w", at::full({2, 2}, round, at::kFloat)}});
    const LoadedFolder loaded = load_model_folder(path);
    EXPECT_EQ(model_config_json(loaded.info), model_config_json(info()));
    EXPECT_EQ(loaded.info.label_names, info().label_names);
    EXPECT_EQ(loaded.info.mean, info().mean);
    EXPECT_EQ(loaded.info.width_multiplier, 0.25);
    EXPECT_EQ(loaded.info.height, 28);
    EXPECT_EQ(loaded.info.width, 30);
    EXPECT_EQ(loaded.info.interpolation, "bicubic");
    EXPECT_TRUE(at::equal(loaded.tensors.at("w"), at::full({2, 2}, round, at::kFloat)));
  }
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), {}), 1);
  EXPECT_EQ(std::distance(fs::directory_iterator(path), {}), 2);
}

json old_form() {  // timm's before 2023: everything at the top
  return json::parse(R"({"architecture": "resnet18", "num_classes": 2, "labels": ["cat", "dog"],
                         "input_size": [3, 288, 320], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25],
                         "interpolation": "lanczos", "crop_pct": 0.95, "pool_size": [7, 7]})");
}

TEST_F(ModelFolder, TimmsOlderTopLevelKeysAreRead) {
  const ModelFolderInfo info = parse_model_config(old_form().dump(), "c");
  EXPECT_EQ(info.height, 288);
  EXPECT_EQ(info.width, 320);
  EXPECT_EQ(info.mean, std::vector<double>(3, 0.5));
  EXPECT_EQ(info.interpolation, "lanczos");
  EXPECT_EQ(info.crop_pct, 0.95);
  EXPECT_EQ(info.label_names, (std::vector<std::string>{"cat", "dog"}));
}

TEST_F(ModelFolder, WhatIsLeftOutMeansWhatItMeansToTimm) {
  const ModelFolderInfo info = parse_model_config(
      R"({"architecture": "a", "num_classes": 2, "pretrained_cfg": {"input_size": [3, 9, 9]}})", "c");
  EXPECT_EQ(info.interpolation, "bicubic");
  EXPECT_EQ(info.crop_pct, 0.875);
  EXPECT_EQ(info.crop_mode, "center");
  EXPECT_FALSE(info.fixed_input_size);
  EXPECT_EQ(info.test_height, 0);
}

TEST_F(ModelFolder, SizesForTestsAndChannelsComeBack) {
  json config = old_form();
  config["fixed_input_size"] = true;
  config["test_input_size"] = {3, 320, 352};
  config["test_crop_pct"] = 1.0;
  config["crop_mode"] = "squash";
  const ModelFolderInfo info = parse_model_config(config.dump(), "c");
  EXPECT_TRUE(info.fixed_input_size);
  EXPECT_EQ(info.test_width, 352);
  EXPECT_EQ(info.test_crop_pct, 1);
  EXPECT_EQ(info.crop_mode, "squash");
  EXPECT_EQ(model_config_json(parse_model_config(model_config_json(info), "c")), model_config_json(info));
  // A network made for grey pictures whose settings were written for colour: the levels are of no use.
  config["model_args"] = {{"in_chans", 1}};
  EXPECT_THAT(error_of(ExitCode::bad_data, [&] { parse_model_config(config.dump(), "c"); }),
              HasSubstr("mean: 3 entries for 1 channels"));
}

TEST_F(ModelFolder, MayBeSharded) {
  write("config.json", model_config_json(info()));
  write("1.safetensors", tensors_to_safetensors({{"a", at::ones({1})}}));
  write("model.safetensors.index.json", R"({"weight_map":{"a":"1.safetensors"}})");
  EXPECT_EQ(load_model_folder(folder.string()).tensors.size(), 1u);
}

TEST_F(ModelFolder, WhatIsMissingIsNamed) {
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { load_model_folder((folder / "none").string()); }),
              HasSubstr("no such model folder"));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { load_model_folder(folder.string()); }),
              HasSubstr("no config.json there"));
  write("config.json", model_config_json(info()));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { load_model_folder(folder.string()); }),
              HasSubstr("no model.safetensors there"));
  EXPECT_THAT(error_of(ExitCode::usage, [&] { load_model_folder((folder / "config.json").string()); }),
              HasSubstr("weights: FILE"));
  fs::create_directories(folder / "run/student");
  write("run/student/config.json", model_config_json(info()));
  EXPECT_THAT(error_of(ExitCode::missing_input, [&] { load_model_folder((folder / "run").string()); }),
              HasSubstr("its model is"));
  fs::create_directory(folder / "model.safetensors");
  error_of(ExitCode::refused, [&] { load_model_folder(folder.string()); });
}

TEST_F(ModelFolder, AnExistingFileIsNotReplaced) {
  const std::string path = write("student", "precious");
  error_of(ExitCode::cannot_create, [&] { save_model_folder(path, info(), {}); });
  EXPECT_EQ(read_file(path), "precious");
}

json valid() {
  return json::parse(model_config_json(info()));
}

ModelFolderInfo parse(const json& config) {
  return parse_model_config(config.dump(), "FILE");
}

TEST(ModelConfig, IsInTimmsForm) {
  const json config = valid();
  EXPECT_EQ(config.at("architecture"), "resnet20");
  EXPECT_EQ(config.at("num_classes"), 2);
  EXPECT_EQ(config.at("pretrained_cfg").at("input_size"), json({1, 28, 30}));
  EXPECT_EQ(config.at("pretrained_cfg").at("std"), json({0.3081}));
}

TEST(ModelConfig, OtherToolsKeysAndMissingOnesAreTolerated) {
  // As timm writes it.
  const ModelFolderInfo read =
      parse_model_config(R"({"architecture": "resnet18", "num_classes": 1000, "num_features": 512,
    "global_pool": "avg", "pretrained_cfg": {"tag": "a1_in1k", "custom_load": false, "input_size": [3, 224, 224],
    "fixed_input_size": false, "interpolation": "bicubic", "crop_pct": 0.95, "crop_mode": "center", "mean": [0.485, 0.456, 0.406],
    "std": [0.229, 0.224, 0.225], "num_classes": 1000, "pool_size": [7, 7], "first_conv": "conv1", "classifier": "fc"}})",
                         "FILE");
  EXPECT_EQ(read.num_classes, 1000);
  EXPECT_EQ(read.in_channels, 3);
  EXPECT_EQ(read.crop_pct, 0.95);
  EXPECT_EQ(read.width_multiplier, 1.0);

  const ModelFolderInfo least = parse_model_config(
      R"({"architecture":"x","label_names":null,"pretrained_cfg":{"num_classes":5,"input_size":[1,2,3],"mean":null}})",
      "FILE");
  EXPECT_EQ(least.num_classes, 5);
  EXPECT_TRUE(least.mean.empty());
  EXPECT_EQ(least.interpolation, "bicubic");  // what timm takes where nothing is said
  EXPECT_EQ(least.crop_pct, 0.875);
}

TEST(ModelConfig, MessagesNameTheKeyTheValueAndWhatIsExpected) {
  struct Case {
    const char* pointer;
    const char* value;
    const char* expected;
  };
  const Case cases[] = {
      {"/architecture", "null", "FILE: architecture: is missing"},
      {"/architecture", "7", "FILE: architecture: got 7, expected a text"},
      {"/num_classes", "0", "FILE: label_names: 2 entries for 0 classes"},  // 0 itself: without a head
      {"/num_classes", "-1", "FILE: num_classes: got -1"},
      {"/num_classes", "2.5", "FILE: num_classes: got 2.5"},
      {"/num_classes", "true", "FILE: num_classes: got true"},
      {"/num_classes", "\"2\"", "FILE: num_classes: got \"2\""},
      {"/num_classes", "18446744073709551615", "FILE: num_classes: got 18446744073709551615"},
      {"/num_classes", "99999999999", "FILE: num_classes: got 99999999999"},
      {"/label_names", "{}", "FILE: label_names: got {}, expected a list"},
      {"/label_names", "[\"a\",1]", "FILE: label_names: got 1 in it"},
      {"/label_names", "[\"a\"]", "FILE: label_names: 1 entries for 2 classes"},
      {"/pretrained_cfg", "null", "FILE: pretrained_cfg.input_size: is missing"},
      {"/pretrained_cfg", "[]", "FILE: pretrained_cfg.input_size: what holds it is [], expected an object"},
      {"/pretrained_cfg/input_size", "[1,28]",
       "FILE: pretrained_cfg.input_size: needs three numbers (C, Y, X), got 2"},
      {"/pretrained_cfg/input_size", "[1,28,-28]",
       "FILE: pretrained_cfg.input_size: got -28, expected a whole number from 1 to 65536"},
      {"/pretrained_cfg/input_size", "[1,28,1000000]", "FILE: pretrained_cfg.input_size: got 1000000"},
      {"/pretrained_cfg/mean", "[0.5,0.5]", "FILE: pretrained_cfg.mean: 2 entries for 1 channels"},
      {"/pretrained_cfg/mean", "\"0.5\"", "FILE: pretrained_cfg.mean: got \"0.5\", expected a list"},
      {"/pretrained_cfg/std", "[0]", "FILE: pretrained_cfg.std: got 0, expected a number above 0"},
      {"/pretrained_cfg/std", "[null]", "FILE: pretrained_cfg.std: got null"},
      {"/pretrained_cfg/crop_pct", "-0.5", "FILE: pretrained_cfg.crop_pct: got -0.5"},
      {"/pretrained_cfg/interpolation", "3", "FILE: pretrained_cfg.interpolation: got 3, expected a text"},
      {"/mgd/width", "0", "FILE: mgd.width: got 0"},
      {"/mgd", "7", "FILE: mgd.width: what holds it is 7, expected an object"},
  };
  for (const auto& c : cases) {
    json config = valid();
    config[json::json_pointer(c.pointer)] = json::parse(c.value);
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { parse(config); }), testing::StartsWith(c.expected))
        << c.pointer;
  }
}

TEST(ModelConfig, WhatIsNoConfigIsRefused) {
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string("{}"), std::string("{}\0", 3),
        std::string("{\"architecture\":\"a\",\"architecture\":\"b\"}"), std::string(100'000, '['),
        std::string("\xff")})
    EXPECT_THAT(error_of(ExitCode::bad_data, [&] { parse_model_config(text, "FILE"); }),
                testing::StartsWith("FILE: "));
}

// A class may be named by a folder whose name is no UTF-8.
TEST(ModelConfig, BytesThatAreNoTextAreReplaced) {
  ModelFolderInfo odd = info();
  odd.label_names[0] = "\xff";
  EXPECT_EQ(parse_model_config(model_config_json(odd), "FILE").label_names[0], "\xef\xbf\xbd");
}

}  // namespace
}  // namespace mgd
