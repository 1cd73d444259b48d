// One frozen convolution under several threads: each gets what a thread alone gets. For the thread sanitizer.
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <gtest/gtest.h>

#include <barrier>
#include <thread>

#include "mgd/nn/conv_norm.h"
#include "nn/support.h"

namespace mgd {
namespace {

struct FrozenConv {
  FrozenConv() {
    for (Module* module : {static_cast<Module*>(&conv), static_cast<Module*>(&norm)})
      module->set_requires_grad(false);
  }
  at::Tensor run(bool winograd) {
    const at::NoGradGuard no_grad;
    Forward forward;
    forward.use_winograd(winograd);
    return conv_norm(conv, norm, x, forward);
  }
  RandomStream random = stream();
  Conv2d conv{{.in = 32, .out = 32, .padding = 1}, random};
  BatchNorm2d norm{32};
  at::Tensor x = at::arange(2 * 32 * 32 * 32, at::kFloat).sin().view({2, 32, 32, 32});
};

double gap(const at::Tensor& a, const at::Tensor& b) {
  return a.sub(b).abs().max().item<double>();
}

// In each round the weights are new, so that all threads find them stale at once; half of them want
// Winograd's filter and half oneDNN's order, which differ in size and meaning.
TEST(Threads, AFrozenConvolutionFoldsSafely) {
  constexpr int kRounds = 60, kThreads = 4;
  FrozenConv layer;
  std::vector<double> worst(kThreads, 0);
  at::Tensor expected;
  const auto renew = [&]() noexcept {
    tensor_of(layer.conv, "weight").mul_(-1.01);
    FrozenConv alone;
    tensor_of(alone.conv, "weight").copy_(tensor_of(layer.conv, "weight"));
    expected = alone.run(false);
  };
  renew();
  std::barrier together(kThreads, renew);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t)
    threads.emplace_back([&, t] {
      for (int round = 0; round < kRounds; ++round) {
        for (int again = 0; again < 2; ++again)
          worst[static_cast<std::size_t>(t)] =
              std::max(worst[static_cast<std::size_t>(t)], gap(layer.run(t % 2 == 1), expected));
        together.arrive_and_wait();
      }
    });
  for (auto& thread : threads) thread.join();
  for (const double w : worst) EXPECT_LT(w, 1e-3);
}

}  // namespace
}  // namespace mgd
