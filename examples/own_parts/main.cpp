// A network, a loss and pictures of one's own: trained, stopped, taken up again, exported, and asked by two
// threads.
#include <ATen/TensorOperators.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/log_softmax.h>
#include <fmt/core.h>

#include <thread>

#include "mgd/core/error.h"
#include "mgd/data/own_pictures.h"
#include "mgd/loss/entry.h"
#include "mgd/model/block.h"
#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"
#include "mgd/train/finish.h"

using namespace mgd;

struct Tiny final : ImageModel {
  Tiny(const ModelSpec& spec, RandomStream& random)
      : ImageModel(spec),
        conv(make_child<Conv2d>("conv", conv3x3(spec.in_channels, 8), random)),
        norm(make_child<BatchNorm2d>("norm", 8)),
        head(make_child<Linear>("head", 8, spec.num_classes, random)) {}
  at::Tensor forward(at::Tensor input, Forward& forward) override {
    const at::Tensor x = model_input(std::move(input), spec(), forward);
    const at::Tensor map = conv_norm(conv, norm, x, forward, {.activation = Activation::relu});
    return head.forward(global_pool(map, forward), forward);
  }
  std::string default_tap() const override { return "norm"; }
  Conv2d& conv;
  BatchNorm2d& norm;
  Linear& head;
};

struct Doubt final : NamedLoss {  // minus the entropy of the answers: against being too sure
  using NamedLoss::NamedLoss;
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }
  at::Tensor sum(const LossInput& input) override {
    const at::Tensor log_p = at::log_softmax(input.student.logits, 1);  // (B, K)
    return (log_p.exp() * log_p).sum();
  }
};

Image stripes(std::int64_t index) {  // lying and standing ones, 8 x 8 in grey
  Image image{.height = 8, .width = 8, .channels = 1, .pixels = {}};
  for (std::int64_t at = 0; at < 64; ++at) {
    const bool bright = ((index % 2 == 0 ? at / 8 : at % 8) + index / 2) % 3 == 0;
    image.pixels.push_back(bright ? 200 : static_cast<std::uint8_t>(10 + (at * index) % 50));
  }
  return image;
}

int main(int argc, char** argv) try {
  const fs::path folder = argc > 1 ? argv[1] : "own_parts_run";
  OwnPictures pictures{.size = 96, .channels = 1, .classes = {"lying", "standing"}};
  pictures.label = [](std::int64_t index) { return index % 2; };
  pictures.image = stripes;
  const Host host{.models = {own_model<Tiny>("tiny")},
                  .losses = {{.name = "doubt", .make = make_one_loss<Doubt, LossOptions>}},
                  .pictures = {.train = make_pictures(pictures), .test = make_pictures(pictures)}};
  const Config config = read_config(parse_yaml("student: {model: tiny}\n"
                                               "losses: [cross_entropy, {name: doubt, weight: 0.1}]\n"
                                               "train: {epochs: 10, batch_size: 16, lr: 0.1}\n",
                                               "own_parts"),
                                    ".");
  TrainRequests requests;  // the token: any thread, or a handler of signals, may ask by it
  const TrainEvents events{.progress = [&](const Progress& at) {
    if (at.step == 20) requests.stop();
  }};
  for (const auto open : {RunFolder::Open::overwrite, RunFolder::Open::resume}) {
    const bool first = open == RunFolder::Open::overwrite;
    const auto run = make_run(config, host);
    const TrainResult result = train(*run, RunFolder(folder, open), {.requests = first ? &requests : nullptr},
                                     first ? events : TrainEvents{});
    fmt::print("{} at step {}\n", first ? "stopped" : "finished", result.steps);
    if (!first) export_student(*run, folder / "model");
  }
  const OpenedModel opened = open_model({.path = folder / "model"}, {.own = host.models}, "model");
  opened.model->set_requires_grad(false);
  at::Tensor logits[2];  // (pictures, classes), of one model, asked by two threads
  const auto ask = [&](at::Tensor& answer) {
    answer = answer_all(*opened.model, *host.pictures.test, eval_options_of(opened.info)).logits;
  };
  std::thread other(ask, std::ref(logits[1]));
  ask(logits[0]);
  other.join();
  fmt::print("two threads agree: {}\n", at::equal(logits[0], logits[1]));
  fmt::print("right: {:.2f}\n",
             evaluate_classifier(*opened.model, *host.pictures.test, eval_options_of(opened.info)).accuracy);
} catch (const Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.code());
}
