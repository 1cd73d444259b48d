// Times the loss of masked generative distillation, forward and backward, against the same arithmetic done
// densely, operator by operator: masked_conv_bench [ROUNDS] [CASE]. CPU time of the thread; both sides take
// turns, and what is printed is the median of the rounds' ratios with the least and the greatest.
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/Tensor.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/norm.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/square.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/where.h>
#include <fmt/core.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "mgd/loss/loss.h"

namespace {

struct BenchCase {
  const char* name;
  std::int64_t batch, channels, side;
  bool by_channel;
  double ratio;
};

const std::vector<BenchCase> kGoals = {{"28x28x256 spatial", 16, 256, 28, false, 0.75},
                                       {"28x28x256 spatial", 16, 256, 28, false, 0.65},
                                       {"28x28x256 channel", 16, 256, 28, true, 0.5},
                                       {"64x64x2048 spatial", 1, 2048, 64, false, 0.75}};

// Ratio 0 is left out of the losses' own choice by asking for it: skip: always.
std::vector<BenchCase> curve() {
  std::vector<BenchCase> cases;
  for (const bool by_channel : {false, true})
    for (const double ratio : {0.0, 0.15, 0.3, 0.5, 0.65, 0.75, 0.9}) {
      cases.push_back(
          {by_channel ? "28x28x256 channel" : "28x28x256 spatial", 16, 256, 28, by_channel, ratio});
      cases.push_back({by_channel ? "7x7x512 channel" : "7x7x512 spatial", 16, 512, 7, by_channel, ratio});
      cases.push_back({by_channel ? "8x8x64 channel" : "8x8x64 spatial", 64, 64, 8, by_channel, ratio});
    }
  return cases;
}

double cpu_ms() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return static_cast<double>(t.tv_sec) * 1e3 + static_cast<double>(t.tv_nsec) * 1e-6;
}

// The loss of a recipe entry on random maps, and what it is made of.
class Sides {
 public:
  Sides(const BenchCase& c, const char* options) {
    const mgd::TapShape shape = {c.channels, c.side, c.side};
    losses_ = mgd::make_losses(mgd::parse_yaml(fmt::format("{{name: mgd, {}}}", options), "bench"),
                               {.student = {{"map", shape}},
                                .teacher = {{"map", shape}},
                                .student_default_tap = "map",
                                .teacher_default_tap = "map",
                                .seed = 1});
    losses_.at(0)->trainable()->to_channels_last();
    const auto map = [&] {
      return at::randn({c.batch, c.channels, c.side, c.side}).contiguous(at::MemoryFormat::ChannelsLast);
    };
    student_ = map().requires_grad_();
    student_taps_ = {{"map", student_}};
    teacher_taps_ = {{"map", map()}};
    keep_ = at::rand({c.batch, c.by_channel ? c.channels : 1, c.by_channel ? 1 : c.side,
                      c.by_channel ? 1 : c.side}) >= c.ratio;
    for (auto& p : losses_.at(0)->trainable()->parameters()) weights_.push_back(p.tensor);
  }

  double ours_ms() {
    clear();
    const double start = cpu_ms();
    at::Tensor sum = losses_.at(0)->sum(
        {.batch = batch_, .student = student_taps_, .teacher = teacher_taps_, .keep = keep_});
    sum.backward();
    const double ms = cpu_ms() - start;
    ours_ = sum.item<double>();
    ours_grads_ = grads();
    return ms;
  }
  double peer_ms() {
    clear();
    const double start = cpu_ms();
    const at::Tensor shown = at::where(keep_, student_, 0.0);
    const at::Tensor inner = at::relu(at::conv2d(shown, weights_[0], weights_[1], 1, 1));
    const at::Tensor made = at::conv2d(inner, weights_[2], weights_[3], 1, 1);
    at::Tensor sum = at::sum(at::square(made - teacher_taps_.at("map")));
    sum.backward();
    const double ms = cpu_ms() - start;
    peer_ = sum.item<double>();
    peer_grads_ = grads();
    return ms;
  }
  // The greatest difference of a gradient, relative to its norm. (Not by single values: a ReLU that rounding
  // switches changes those of its neighbourhood.)
  double difference() const {
    double worst = std::abs(ours_ / peer_ - 1);
    for (std::size_t i = 0; i < ours_grads_.size(); ++i) {
      const double error = at::norm(ours_grads_[i] - peer_grads_[i]).item<double>();
      worst = std::max(worst, error / at::norm(peer_grads_[i]).item<double>());
    }
    return worst;
  }

 private:
  void clear() {
    student_.mutable_grad() = at::Tensor();
    for (at::Tensor& w : weights_) w.mutable_grad() = at::Tensor();
  }
  std::vector<at::Tensor> grads() const {
    std::vector<at::Tensor> all{student_.grad()};
    for (const at::Tensor& w : weights_) all.push_back(w.grad());
    return all;
  }

  std::vector<std::unique_ptr<mgd::Loss>> losses_;
  mgd::Batch batch_;
  mgd::Features student_taps_, teacher_taps_;
  at::Tensor student_, keep_;
  std::vector<at::Tensor> weights_, ours_grads_, peer_grads_;
  double ours_ = 0, peer_ = 0;
};

void run(const BenchCase& c, int rounds, const char* options) {
  Sides sides(c, options);
  sides.ours_ms();
  sides.peer_ms();
  std::vector<double> ratios, ours, peer;
  for (int i = 0; i < rounds; ++i) {
    ours.push_back(sides.ours_ms());
    peer.push_back(sides.peer_ms());
    ratios.push_back(peer.back() / ours.back());
  }
  for (auto* values : {&ratios, &ours, &peer}) std::sort(values->begin(), values->end());
  const std::size_t middle = ratios.size() / 2;
  fmt::print("{:<20} B{:<3} {:>5.2f}{:>10.1f} ms{:>10.1f} ms   x{:.2f} ({:.2f} ... {:.2f})   {:.1e}\n",
             c.name, c.batch, c.ratio, ours[middle], peer[middle], ratios[middle], ratios.front(),
             ratios.back(), sides.difference());
  std::fflush(stdout);
}

}  // namespace

int main(int argc, char** argv) {
  const int rounds = argc > 1 ? std::max(1, std::atoi(argv[1])) : 7;
  const std::string which = argc > 2 ? argv[2] : "all";
  at::set_num_threads(1);
  fmt::print("{:<25} ratio{:>10}   {:>10}      peer / ours           difference\n", "map", "ours", "peer");
  for (std::size_t i = 0; i < kGoals.size(); ++i)
    if (which == "all" || which == "goals" || which == std::to_string(i))
      run(kGoals[i], rounds, "skip: auto");
  for (std::size_t i = 0; i < kGoals.size(); ++i)
    if (which == "all" || which == "winograd" || which == "w" + std::to_string(i))
      run(kGoals[i], rounds, "winograd: true");
  if (which == "all" || which == "curve")
    for (const BenchCase& c : curve()) run(c, rounds, "skip: always");
  return 0;
}
