// A network, a loss and pictures of one's own: trained, stopped, taken up again, exported, and asked by two
// threads.
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/log_softmax.h>
#include <fmt/core.h>

#include <thread>

#include "mgd/core/error.h"
#include "mgd/loss/entry.h"
#include "mgd/model/block.h"
#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"
#include "mgd/train/finish.h"
#include "mgd/train/trainer.h"

class Tiny final : public mgd::ImageModel {
 public:
  Tiny(const mgd::ModelSpec& spec, mgd::RandomStream& random)
      : ImageModel(spec),
        conv_(make_child<mgd::Conv2d>("conv", mgd::conv3x3(spec.in_channels, 8), random)),
        norm_(make_child<mgd::BatchNorm2d>("norm", 8)),
        head_(make_child<mgd::Linear>("head", 8, spec.num_classes, random)) {}
  at::Tensor forward(at::Tensor input, mgd::Forward& forward) override {
    const at::Tensor x = mgd::model_input(std::move(input), spec(), forward);
    const at::Tensor map = mgd::conv_norm(conv_, norm_, x, forward, {.activation = mgd::Activation::relu});
    return head_.forward(mgd::global_pool(map, forward), forward);
  }
  std::string default_tap() const override { return "norm"; }

 private:
  mgd::Conv2d& conv_;
  mgd::BatchNorm2d& norm_;
  mgd::Linear& head_;
};

class Doubt final : public mgd::NamedLoss {  // minus the entropy of the answers: against being too sure
 public:
  using NamedLoss::NamedLoss;
  double count(const mgd::CountInput& input) const override { return static_cast<double>(input.batch_size); }
  at::Tensor sum(const mgd::LossInput& input) override {
    const at::Tensor log_p = at::log_softmax(input.student.logits, 1);  // (B, K)
    return (log_p.exp() * log_p).sum();
  }
};

class Stripes final : public mgd::ImageSource {  // lying and standing ones, 8 x 8 in grey
 public:
  explicit Stripes(std::int64_t size) : size_(size) {}
  std::int64_t size() const override { return size_; }
  std::int64_t channels() const override { return 1; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t label(std::int64_t index) const override { return index % 2; }
  std::string name(std::int64_t index) const override { return fmt::format("stripes[{}]", index); }
  std::string fingerprint() const override { return fmt::format("stripes, {}", size_); }
  mgd::Image image(std::int64_t index) const override {
    mgd::Image image{.height = 8, .width = 8, .channels = 1, .pixels = {}};
    for (std::int64_t at = 0; at < 64; ++at) {
      const std::int64_t along = index % 2 == 0 ? at / 8 : at % 8;
      image.pixels.push_back(
          (along + index / 2) % 3 == 0 ? 200 : static_cast<std::uint8_t>(10 + (at * index) % 50));
    }
    return image;
  }

 private:
  std::int64_t size_;
  std::vector<std::string> names_{"lying", "standing"};
};

int main(int argc, char** argv) try {
  const mgd::fs::path folder = argc > 1 ? argv[1] : "own_parts_run";
  mgd::Host host;
  host.models = {{.name = "tiny",
                  .build = [](const mgd::ModelSpec& spec, mgd::RandomStream& random)
                      -> std::unique_ptr<mgd::ImageModel> { return std::make_unique<Tiny>(spec, random); }}};
  host.losses = {{.name = "doubt", .make = mgd::make_one_loss<Doubt, mgd::LossOptions>}};
  host.pictures = {
      .train = std::make_shared<Stripes>(96), .validation = {}, .test = std::make_shared<Stripes>(32)};
  const mgd::Config config = mgd::read_config(
      mgd::parse_yaml("{student: {model: tiny}, losses: [{name: cross_entropy}, {name: doubt, weight: 0.1}], "
                      "train: {epochs: 10, batch_size: 16, lr: 0.1}}",
                      "own_parts"),
      ".");

  mgd::TrainRequests requests;  // the token: any thread, or a handler of signals, may ask by it
  const mgd::TrainEvents events{.progress = [&](const mgd::Progress& at) {
    if (at.step == 20) requests.stop();
  }};
  {
    const auto run = mgd::make_run(config, host);
    const mgd::RunFolder run_folder(folder, mgd::RunFolder::Open::overwrite);
    fmt::print("stopped at step {}\n", mgd::train(*run, run_folder, {.requests = &requests}, events).steps);
  }
  const auto run = mgd::make_run(config, host);
  const mgd::RunFolder run_folder(folder, mgd::RunFolder::Open::resume);
  fmt::print("finished at step {}\n", mgd::train(*run, run_folder, {}, {}).steps);
  mgd::export_student(*run, folder / "model");

  const mgd::OpenedModel opened = mgd::open_model({.path = folder / "model"}, {.own = host.models}, "model");
  opened.model->set_requires_grad(false);
  const mgd::EvalOptions as_it_says = mgd::eval_options_of(opened.info);
  at::Tensor logits[2];  // (pictures, classes), of one model, asked by two threads
  const auto ask = [&](at::Tensor& answer) {
    answer = mgd::answer_all(*opened.model, *host.pictures.test, as_it_says).logits;
  };
  std::thread other(ask, std::ref(logits[1]));
  ask(logits[0]);
  other.join();
  fmt::print("two threads agree: {}\n", at::equal(logits[0], logits[1]));
  fmt::print("right: {:.2f}\n",
             mgd::evaluate_classifier(*opened.model, *host.pictures.test, as_it_says).accuracy);
} catch (const mgd::Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.code());
}
