// A network, a loss and pictures of one's own: trained, stopped, taken up again, exported, asked by two
// threads.
#include <fmt/core.h>
#include <mgd/mgd.h>

#include <future>

using namespace mgd;

struct Tiny final : ImageModel {
  Conv2d& conv;
  BatchNorm2d& norm;
  Linear& head;
  Tiny(const ModelSpec& spec, RandomStream& random)
      : ImageModel(spec),
        conv(make_child<Conv2d>("conv", conv3x3(spec.in_channels, 8), random)),
        norm(make_child<BatchNorm2d>("norm", 8)),
        head(make_child<Linear>("head", 8, spec.num_classes, random)) {}
  std::string default_tap() const override { return "norm"; }
  at::Tensor forward(at::Tensor input, Forward& pass) override {
    const at::Tensor x = model_input(std::move(input), spec(), pass);
    return head.forward(global_pool(conv_norm(conv, norm, x, pass, {.activation = Activation::relu}), pass),
                        pass);
  }
};

struct Doubt final : NamedLoss {  // minus the entropy of the answers: against being too sure
  using NamedLoss::NamedLoss;
  double count(const CountInput& input) const override { return static_cast<double>(input.batch_size); }
  at::Tensor sum(const LossInput& input) override {
    const at::Tensor log_p = input.student.logits.log_softmax(1);  // (B, K)
    return log_p.exp().mul(log_p).sum();
  }
};

Image stripes(std::int64_t index) {  // lying and standing ones, 8 x 8 in grey
  Image image{.height = 8, .width = 8, .channels = 1, .pixels = {}};
  for (std::int64_t at = 0; at < 64; ++at)
    image.pixels.push_back(((index % 2 == 0 ? at / 8 : at % 8) + index / 2) % 3 == 0 ? 200 : at * index % 50);
  return image;
}

int main() try {
  const auto pictures = make_pictures({96, 1, {"lying", "standing"}, [](auto i) { return i % 2; }, stripes});
  const Host host{{own_model<Tiny>("tiny")}, {own_loss<Doubt>("doubt")}, {.train = pictures}};
  const Config config = parse_config(
      "student: {model: tiny}\nlosses: [cross_entropy, {name: doubt, weight: 0.1}]\n"
      "train: {epochs: 10, batch_size: 16, lr: 0.1}");
  TrainRequests token;  // any thread, or a handler of signals, may ask by it
  const auto at_20 = [&](const Progress& at) {
    if (at.step == 20) token.stop();
  };
  const auto begun = make_run(config, host), run = make_run(config, host);
  const auto first =
      train(*begun, {"run", RunFolder::Open::overwrite}, {.requests = &token}, {.progress = at_20});
  const auto last = train(*run, {"run", RunFolder::Open::resume});
  export_student(*run, "run/model");
  const OpenedModel opened = open_model({.path = "run/model"}, {.own = host.models}, "model");
  opened.model->set_requires_grad(false);
  const auto ask = [&] { return answer_all(*opened.model, *pictures, eval_options_of(opened.info)).logits; };
  auto other = std::async(std::launch::async, ask);
  const bool agree = ask().equal(other.get());
  const double right = evaluate_classifier(*opened.model, *pictures, eval_options_of(opened.info)).accuracy;
  fmt::print("steps {} and {}, threads agree: {}, right: {:.2f}\n", first.steps, last.steps, agree, right);
} catch (const Error& error) {
  fmt::print(stderr, "{}\n", error.what());
  return static_cast<int>(error.code());
}
