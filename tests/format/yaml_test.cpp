#include <gtest/gtest.h>

#include <chrono>
#include <string>

#include "mgd/core/error.h"
#include "mgd/format/options.h"

namespace mgd {
namespace {

std::string refusal(const std::string& text) {
  const auto start = std::chrono::steady_clock::now();
  std::string message = "accepted";
  try {
    parse_yaml(text, "r.yaml");
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    message = error.what();
  }
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1)) << message;
  return message;
}

std::string repeat(const std::string& text, int times) {
  std::string out;
  for (int i = 0; i < times; ++i) out += text;
  return out;
}

TEST(Yaml, TreeKnowsWhereItWasWritten) {
  const Node root = parse_yaml("train:\n  lr: 0.1\nlosses:\n  - {name: kd, weight: 2}\n  - mgd\n", "r.yaml");
  const Node& lr = *root.find("train")->find("lr");
  EXPECT_EQ(lr.scalar, "0.1");
  EXPECT_EQ(lr.origin.text(), "r.yaml:2:7");
  EXPECT_EQ(lr.key_origin.text(), "r.yaml:2:3");
  const Node& losses = *root.find("losses");
  ASSERT_EQ(losses.items.size(), 2U);
  EXPECT_EQ(losses.items[0].find("weight")->origin.text(), "r.yaml:4:24");
  EXPECT_EQ(origin_of(root, "losses.1").text(), "r.yaml:5:5");
  EXPECT_EQ(origin_of(root, "losses.1.weight").text(), "r.yaml:5:5");
  EXPECT_EQ(origin_of(root, "train.epochs").text(), "default");
}

TEST(Yaml, EmptyTextAndNothingAreNull) {
  EXPECT_TRUE(parse_yaml("", "r").is_null());
  EXPECT_TRUE(parse_yaml("# only a comment\n", "r").is_null());
  EXPECT_TRUE(parse_yaml("a: ~\nb:\nc: null\n", "r").find("b")->is_null());
  EXPECT_EQ(parse_yaml("a: 'null'\n", "r").find("a")->scalar, "null");
}

TEST(Yaml, BadSyntaxNamesThePlace) {
  EXPECT_EQ(refusal("a: [1, 2\nb: 3\n").substr(0, 9), "r.yaml:2:");
  EXPECT_EQ(refusal("a: 1\n  b: 2\n").substr(0, 9), "r.yaml:2:");
  EXPECT_EQ(refusal("a: 'x\nb: 2\n").substr(0, 9), "r.yaml:2:");
  EXPECT_EQ(refusal("a: \"x\n").substr(0, 9), "r.yaml:1:");
  EXPECT_EQ(parse_yaml("a: |\n  x\n", "r").find("a")->scalar, "x\n");
  EXPECT_EQ(refusal("\ta: 1\n").substr(0, 9), "r.yaml:1:");
}

TEST(Yaml, RepeatedKeyNamesBothPlaces) {
  EXPECT_EQ(refusal("train:\n  lr: 1\n  epochs: 2\n  lr: 3\n"),
            "r.yaml:4:3: key 'lr' is given twice, first at r.yaml:2:3");
}

TEST(Yaml, AnchorsAliasesTagsAndSecondDocumentsAreRefused) {
  EXPECT_EQ(refusal("a: &x 1\nb: *x\n"),
            "r.yaml:1:4: anchor '&x': anchors and aliases are not supported; write the value out");
  EXPECT_NE(refusal("b: *x\n").find("r.yaml:1:4: "), std::string::npos);
  EXPECT_EQ(refusal("a: !!python/object:os.system x\n").substr(0, 17), "r.yaml:1:4: tag '");
  EXPECT_NE(refusal("a: 1\n---\nb: 2\n").find("r.yaml:2:1: a second document begins here"),
            std::string::npos);
  EXPECT_NE(refusal("[a, b]: 2\n").find("as a key"), std::string::npos);
  EXPECT_EQ(refusal(std::string("a: 1\0", 5)), "r.yaml:1:1: byte 4 is NUL: this is not a text file");
}

TEST(Yaml, HostileInputIsRefusedWithinASecond) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    const std::string before = "*a" + std::to_string(i - 1);
    bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before + repeat(", " + before, 8) +
            "]\n";
  }
  EXPECT_EQ(refusal(bomb).substr(0, 12), "r.yaml:1:5: ");

  constexpr int kDeep = 10'000;
  EXPECT_NE(refusal(repeat("[", kDeep)).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(refusal(repeat("{a: ", kDeep)).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(refusal(repeat("- ", kDeep)).find("nested deeper than 64 levels"), std::string::npos);
  EXPECT_NE(refusal(repeat("? ", kDeep)).find("r.yaml:1:"), std::string::npos);
  std::string staircase;
  for (int i = 0; i < 1300; ++i) staircase += std::string(static_cast<std::size_t>(i), ' ') + "a:\n";
  EXPECT_NE(refusal(staircase).find("nested deeper than 64 levels"), std::string::npos);

  EXPECT_EQ(refusal(std::string(100'000'000, 'x')),
            "r.yaml:1:1: 100000000 bytes, at most 1000000 are read as a recipe");
}

TEST(Yaml, LongButLawfulTextIsReadWithinASecond) {
  std::string keys;
  for (int i = 0; i < 20'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  EXPECT_EQ(refusal(keys), "accepted");
  EXPECT_EQ(refusal("a: " + std::string(900'000, 'x')), "accepted");
}

TEST(Yaml, DepthLimitIsSixtyFour) {
  EXPECT_EQ(refusal(repeat("[", 64) + repeat("]", 64)), "accepted");
  EXPECT_EQ(refusal(repeat("[", 65) + repeat("]", 65)), "r.yaml:1:65: nested deeper than 64 levels");
}

TEST(Yaml, WritesWhatItReads) {
  const std::string text =
      "task: classify\n"
      "empty: {}\n"
      "none: null\n"
      "means: [0.5, 0.25]\n"
      "odd: \"a b: \\\"c\\\" #d\\n\\x07\"\n"
      "losses:\n"
      "  - name: mgd\n"
      "    taps: [layer2, layer3]\n"
      "  - name: kd\n"
      "    deep:\n"
      "      x: -1e-08\n";
  EXPECT_EQ(to_yaml(parse_yaml(text, "r")), text);
  EXPECT_EQ(to_yaml_flow(parse_yaml("{a: [1, {b: 'x y'}], c: '-'}", "r")),
            "{a: [1, {b: \"x y\"}], c: \"-\"}");
}

}  // namespace
}  // namespace mgd
