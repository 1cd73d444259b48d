#include "mgd/task/host.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/log_softmax.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/model/block.h"
#include "mgd/train/finish.h"
#include "train/outcome.h"
#include "train/toy.h"

namespace mgd {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class Small final : public ImageModel {
 public:
  Small(const ModelSpec& spec, RandomStream& random)
      : ImageModel(spec),
        conv_(make_child<Conv2d>("conv", conv3x3(spec.in_channels, 4), random)),
        norm_(make_child<BatchNorm2d>("norm", 4)),
        head_(make_child<Linear>("head", 4, spec.num_classes, random)) {}
  at::Tensor forward(at::Tensor input, Forward& forward) override {
    const at::Tensor x = model_input(std::move(input), spec(), forward);
    return head_.forward(global_pool(conv_norm(conv_, norm_, x, forward), forward), forward);
  }
  std::string default_tap() const override { return "norm"; }

 private:
  Conv2d& conv_;
  BatchNorm2d& norm_;
  Linear& head_;
};

std::unique_ptr<ImageModel> small(const ModelSpec& spec, RandomStream& random) {
  return std::make_unique<Small>(spec, random);
}
std::unique_ptr<ImageModel> renamed(const ModelSpec& spec, RandomStream& random) {
  ModelSpec other = spec;
  other.architecture = "another";
  return std::make_unique<Small>(other, random);
}

class Doubt final : public NamedLoss {
 public:
  using NamedLoss::NamedLoss;
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }
  at::Tensor sum(const LossInput& input) override {
    const at::Tensor log_p = at::log_softmax(input.student.logits, 1);
    return (log_p.exp() * log_p).sum();
  }
};

Host host(const std::string& version = "1") {
  Host given;
  given.models = {{.name = "small", .build = small, .version = version, .side = 8}};
  given.losses = {{.name = "doubt", .make = make_one_loss<Doubt, LossOptions>, .version = version}};
  return given;
}

Config own_config(const toy::TempFolder& folder, const std::vector<std::string>& extra = {}) {
  std::vector<std::string> all{"student={model: small}",
                               "losses=[{name: cross_entropy}, {name: doubt, weight: 0.1}]"};
  all.insert(all.end(), extra.begin(), extra.end());
  return toy::config(folder, all);
}

std::string message_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "nothing was thrown";
}

TEST(Host, TrainsResumesAndReopensItsOwn) {
  const toy::TempFolder folder;
  const auto train_in = [&](const std::string& name, std::int64_t steps, const Host& given,
                            RunFolder::Open open) {
    const auto run = make_run(own_config(folder, {"train.schedule=constant", "train.export_weights=last",
                                                  fmt::format("train.max_steps={}", steps)}),
                              given);
    const RunFolder run_folder(folder / name, open);
    const TrainResult result = train(*run, run_folder, {}, {});
    export_student(*run, folder.path() / name / "model");
    EXPECT_EQ(result.steps, steps);
  };
  train_in("whole", 7, host(), RunFolder::Open::create);
  train_in("parts", 3, host(), RunFolder::Open::create);
  EXPECT_THAT(message_of([&] { train_in("parts", 7, host("2"), RunFolder::Open::resume); }),
              AllOf(HasSubstr("own loss doubt: was version 1, is version 2"),
                    HasSubstr("own model small: was version 1, is version 2")));
  train_in("parts", 7, host(), RunFolder::Open::resume);
  const Host given = host();
  const auto open = [&](const char* name) {
    return open_model({.path = folder / (std::string(name) + "/model")}, {.own = given.models}, "model");
  };
  EXPECT_EQ(open("whole").info.architecture, "small");
  EXPECT_EQ(fingerprint_of(*open("whole").model), fingerprint_of(*open("parts").model));
  EXPECT_THAT(message_of([&] { open_model({.path = folder / "whole/model"}, {}, "model"); }),
              HasSubstr("model: got 'small'"));
  // A teacher of one's own, for a student of the library.
  const auto run = make_run(
      toy::config(folder, {"teacher=" + (folder / "whole/model"), "losses=[{name: kd}, {name: doubt}]"}),
      given);
  EXPECT_EQ(run->teacher()->facts.summary.architecture, "small");
}

TEST(Host, BringsItsPictures) {
  const toy::TempFolder folder;
  const Config of_files = own_config(folder);
  Host given = host();
  given.pictures = open_splits(of_files.data);
  Config without = of_files;
  without.data.path.clear();
  EXPECT_EQ(toy::train_all(of_files, folder / "files", RunFolder::Open::create, host()).weights,
            toy::train_all(without, folder / "own", RunFolder::Open::create, given).weights);
  EXPECT_THAT(message_of([&] { make_run(of_files, given); }), HasSubstr("but the program brings pictures"));
  EXPECT_THAT(message_of([&] { make_run(without, host()); }), HasSubstr("no data given"));
}

TEST(Host, NamesThatClashOrLieAreRefused) {
  const toy::TempFolder folder;
  const auto refused = [&](const auto& change) {
    Host given = host();
    change(given);
    return message_of([&] { make_run(own_config(folder), given); });
  };
  EXPECT_THAT(refused([](Host& h) { h.models[0].name = "resnet18"; }), HasSubstr("own model 'resnet18'"));
  EXPECT_THAT(refused([](Host& h) { h.losses[0].name = "kd"; }),
              HasSubstr("own loss 'kd': a loss of the library"));
  EXPECT_THAT(refused([](Host& h) { h.losses.push_back(h.losses[0]); }),
              HasSubstr("the name is there twice"));
  EXPECT_THAT(refused([](Host& h) { h.models.push_back(h.models[0]); }),
              HasSubstr("the name is there twice"));
  EXPECT_THAT(refused([](Host& h) { h.losses[0].make = nullptr; }), HasSubstr("got no function"));
  EXPECT_THAT(refused([](Host& h) { h.models[0].build = nullptr; }), HasSubstr("got no function"));
  EXPECT_THAT(refused([](Host& h) { h.models[0].build = renamed; }), HasSubstr("one called 'another'"));
  EXPECT_THAT(refused([](Host& h) { h.losses[0].name = "doubts"; }),
              AllOf(HasSubstr("unknown loss 'doubt'"), HasSubstr("doubts")));
  EXPECT_THAT(refused([](Host& h) { h.models[0].name = "smal"; }), HasSubstr("smal"));
}

}  // namespace
}  // namespace mgd
