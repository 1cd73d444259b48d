// TorchScript files as teachers, made here by LibTorch itself.
#include "mgd/model/script_model.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/csrc/jit/api/module.h>
#include <unistd.h>

#include <filesystem>

#include "expect_error.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;
using ::testing::AllOf;
using ::testing::HasSubstr;

class ScriptModel : public testing::Test {
 protected:
  ScriptModel() {
    folder_ = fs::temp_directory_path() / fmt::format("mgd-script-{}", ::getpid());
    fs::create_directories(folder_);
  }
  ~ScriptModel() override { fs::remove_all(folder_); }

  // A module with a weight (4, 3, 3, 3) and this body of its forward pass.
  std::string saved(const std::string& body) const {
    torch::jit::Module module("M");
    module.register_parameter("weight", at::randn({4, 3, 3, 3}), false);
    module.define("def forward(self, x):\n  y = torch.conv2d(x, self.weight, None, [2, 2], [1, 1])\n" + body);
    const std::string file = folder_ / "m.pt";
    module.save(file);
    return file;
  }
  OpenedScript opened(const std::string& body) const { return open_script(saved(body), sample_); }
  std::string refusal(const std::string& body) const {
    return error_of(ExitCode::bad_data, [&] { opened(body); });
  }

  fs::path folder_;
  const at::Tensor sample_ = at::randn({2, 3, 8, 8});
};

std::map<std::string, at::Tensor> taps(ImageModel& model, const at::Tensor& x,
                                       const std::vector<std::string>& names, at::Tensor* logits = nullptr) {
  Forward forward;
  for (const std::string& name : names) forward.capture(name);
  const at::Tensor given = model.forward(x, forward);
  if (logits != nullptr) *logits = given;
  return forward.captured();
}

TEST_F(ScriptModel, ADictionaryGivesTapsByName) {
  const OpenedScript script = opened("  return {\"map\": y, \"logits\": y.mean([2, 3])}\n");
  EXPECT_TRUE(script.has_logits);
  EXPECT_EQ(script.model->spec().num_classes, 4);
  EXPECT_EQ(script.model->default_tap(), "map");
  EXPECT_EQ(script.model->num_parameters(), 108);
  at::Tensor logits;
  auto found = taps(*script.model, sample_, {"map", "logits"}, &logits);
  EXPECT_EQ(found.at("map").sizes(), (std::vector<std::int64_t>{2, 4, 4, 4}));
  EXPECT_TRUE(at::equal(logits, found.at("map").mean({2, 3})));
  Forward forward;
  script.model->forward(sample_, forward);
  EXPECT_EQ(forward.macs(), 2 * 4 * 4 * 4 * 27);
}

TEST_F(ScriptModel, ATupleGivesTapsByPlaceAndATensorIsTheOutput) {
  const OpenedScript tuple = opened("  return (y.mean([2, 3]), y)\n");
  EXPECT_TRUE(tuple.has_logits) << "the first output is (B, K)";
  EXPECT_EQ(tuple.model->default_tap(), "1");
  const OpenedScript map = opened("  return y\n");
  EXPECT_FALSE(map.has_logits);
  EXPECT_EQ(map.model->default_tap(), "output");
  at::Tensor logits;
  taps(*map.model, sample_, {"output"}, &logits);
  EXPECT_EQ(logits.sizes(), (std::vector<std::int64_t>{2, 1}));
  const OpenedScript late = opened("  return (y, y.mean([2, 3]))\n");
  EXPECT_FALSE(late.has_logits) << "a vector that is not first and not called logits is a tap";
}

// As of a vision Transformer: five tokens, the first of which stands for the whole picture.
TEST_F(ScriptModel, TokensAreTakenAsTheMapThatTheirPatchesAre) {
  const OpenedScript script = opened(
      "  z = torch.max_pool2d(y, [2, 2]).flatten(2).transpose(1, 2)\n"
      "  return {\"tokens\": torch.cat([y.mean([2, 3]).unsqueeze(1), z], 1), \"logits\": y.mean([2, 3])}\n");
  EXPECT_THAT(script.notes, testing::ElementsAre("tokens: 5 tokens, taken as 2 x 2 patches behind 1 other"));
  EXPECT_EQ(script.model->default_tap(), "tokens");
  at::Tensor logits;
  auto found = taps(*script.model, sample_, {"tokens", "tokens.first"}, &logits);
  const at::Tensor weight = script.model->parameters().front().tensor;
  const at::Tensor map = at::max_pool2d(at::conv2d(sample_, weight, {}, {2, 2}, {1, 1}), {2, 2});
  EXPECT_TRUE(at::allclose(found.at("tokens"), map, 1e-5, 1e-6));
  EXPECT_TRUE(at::equal(found.at("tokens.first"), logits));
}

TEST_F(ScriptModel, GivesTheSameInEveryPass) {
  const OpenedScript script = opened(
      "  z = torch.relu(y) * 0.3 + torch.sigmoid(y)\n  return {\"map\": z, \"logits\": z.mean([2, 3])}\n");
  at::Tensor first;
  taps(*script.model, sample_, {}, &first);
  for (int i = 0; i < 5; ++i) {
    at::Tensor again;
    taps(*script.model, sample_, {}, &again);
    EXPECT_TRUE(at::equal(first, again)) << i;
  }
}

TEST_F(ScriptModel, WhatIsNoRowAPictureIsRefused) {
  EXPECT_THAT(refusal("  return 1\n"), HasSubstr("it gives a Int"));
  EXPECT_THAT(refusal("  return (y, 3)\n"), AllOf(HasSubstr("output '1'"), HasSubstr("Int")));
  EXPECT_THAT(refusal("  return {\"a\": y.mean()}\n"), AllOf(HasSubstr("output 'a'"), HasSubstr("()")));
  EXPECT_THAT(refusal("  return y.sum(0, True)\n"), HasSubstr("(1, 4, 4, 4) for 2 pictures"));
  EXPECT_THAT(refusal("  return y.argmax(1)\n"), AllOf(HasSubstr("Long"), HasSubstr("expected numbers")));
  EXPECT_THAT(refusal("  return {\"logits\": y}\n"), HasSubstr("'logits' has 4 dimensions"));
  EXPECT_THAT(refusal("  return {\"input\": y}\n"), HasSubstr("called 'input'"));
  EXPECT_THAT(refusal("  return {1: y}\n"), HasSubstr("expected strings"));
  EXPECT_THAT(refusal("  assert False, \"not today\"\n  return y\n"),
              AllOf(HasSubstr("its forward pass fails"), HasSubstr("not today")));
}

TEST_F(ScriptModel, WhatChangesFromPassToPassOrChangesThePicturesIsRefused) {
  EXPECT_THAT(refusal("  return torch.dropout(y, 0.5, True)\n"), HasSubstr("differs between two passes"));
  EXPECT_THAT(refusal("  return y / 0\n"), HasSubstr("is NaN or infinity"));
  EXPECT_THAT(refusal("  x.zero_()\n  return y\n"), HasSubstr("writes into the pictures"));
  EXPECT_THAT(refusal("  x[:, 0].mul_(2)\n  return y\n"), HasSubstr("writes into the pictures"));
}

TEST_F(ScriptModel, OtherFilesAreRefused) {
  const std::string file = saved("  return y\n"), bytes = read_file(file);
  const auto opened_as = [&](const std::string& content) {
    write_file_atomic(file, content);
    return error_of(ExitCode::bad_data, [&] { open_script(file, sample_); });
  };
  EXPECT_THAT(opened_as("hello"), HasSubstr("no TorchScript that could be opened"));
  EXPECT_THAT(opened_as(""), HasSubstr("no TorchScript"));
  for (const std::size_t kept : {std::size_t{100}, bytes.size() / 2, bytes.size() - 1})
    EXPECT_THAT(opened_as(bytes.substr(0, kept)), HasSubstr("no TorchScript"));
}

}  // namespace
}  // namespace mgd
