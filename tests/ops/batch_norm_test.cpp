// The fused batch norm against at::batch_norm in double, and no further from it than twice what the float
// operators one by one are.
#include "mgd/ops/batch_norm.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/batch_norm.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/full.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/randn.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>
#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace mgd {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Shape {
  std::int64_t batch, channels, height, width;
  std::vector<std::int64_t> sizes() const { return {batch, channels, height, width}; }
};

enum class How { fused, one_by_one };

struct Case {
  at::Tensor x, weight, bias, grad, shortcut;
  BatchNormOptions options;

  explicit Case(const Shape& shape) {
    at::manual_seed(7);
    x = at::randn(shape.sizes()) * 2 + 1, grad = at::randn(shape.sizes());
    weight = at::rand({shape.channels}) + 0.5, bias = at::randn({shape.channels});
  }

  // y, gradients of x, weight, bias [, shortcut], running mean and variance.
  std::vector<at::Tensor> run(at::ScalarType type, How how) const {
    const auto leaf = [&](const at::Tensor& t) {
      return t.to(type)
          .contiguous(t.dim() == 4 && how == How::fused ? at::MemoryFormat::ChannelsLast
                                                        : at::MemoryFormat::Contiguous)
          .detach()
          .clone(at::MemoryFormat::Preserve)
          .set_requires_grad(true);
    };
    const at::Tensor a = leaf(x), w = leaf(weight), b = leaf(bias),
                     s = shortcut.defined() ? leaf(shortcut) : at::Tensor();
    const at::Tensor mean = at::zeros({x.size(1)}, type), var = at::ones({x.size(1)}, type);
    // A contiguous map takes the operators one by one.
    const at::Tensor y = batch_norm_in_training(a, {w, b, mean, var}, s, options);
    at::sum(y * grad.to(type)).backward();
    std::vector<at::Tensor> results{y.detach(), a.grad(), w.grad(), b.grad(), mean, var};
    if (s.defined()) results.push_back(s.grad());
    return results;
  }

  void check() const {
    const auto exact = run(at::kDouble, How::one_by_one), naive = run(at::kFloat, How::one_by_one),
               ours = run(at::kFloat, How::fused);
    for (std::size_t i = 0; i < exact.size(); ++i) {
      const double scale = std::max(exact[i].abs().max().item<double>(), 1e-30);
      const auto error = [&](const at::Tensor& t) {
        return t.to(at::kDouble).sub(exact[i]).abs().max().item<double>() / scale;
      };
      EXPECT_LE(error(ours[i]), 2 * error(naive[i]) + 3e-7) << "result " << i;
    }
  }
};

TEST(FusedBatchNorm, ValuesGradientsAndStatistics) {
  for (const Shape& shape : {Shape{2, 16, 1, 1}, Shape{1, 3, 7, 7}, Shape{3, 17, 31, 17}, Shape{2, 64, 8, 8},
                             Shape{9, 100, 2, 3}, Shape{1, 513, 3, 5}, Shape{64, 16, 32, 32}})
    for (const double high : {kInfinity, 1.0})
      for (const double low : {-kInfinity, 0.0})
        for (const bool shortcut : {false, true}) {
          if (low != 0 && high == 1.0) continue;  // no activation has only an upper limit
          SCOPED_TRACE(testing::Message() << at::IntArrayRef(shape.sizes()) << " low " << low << " high "
                                          << high << " shortcut " << shortcut);
          Case c(shape);
          if (shortcut) c.shortcut = at::randn(shape.sizes());
          c.options.limits = {low, high};
          c.check();
        }
}

TEST(FusedBatchNorm, AFarMeanAndAFarValueCostNoDigits) {
  Case far({4, 16, 9, 9});
  far.x = far.x + 1000;
  far.check();
  Case outlier({4, 16, 9, 9});
  outlier.x[0][0][0][0].fill_(1e5);
  outlier.check();
  Case constant({4, 16, 9, 9});
  constant.x.select(1, 3).fill_(-2.5);
  const auto results = constant.run(at::kFloat, How::fused);
  EXPECT_TRUE(at::equal(results[0].select(1, 3), constant.bias[3].expand({4, 9, 9})));
}

TEST(FusedBatchNorm, NanShowsAndThreadsChangeNothing) {
  Case c({64, 16, 32, 32});
  c.options.limits = {.low = 0};
  const auto one = [&](int threads) {
    const int before = at::get_num_threads();
    at::set_num_threads(threads);
    const auto results = c.run(at::kFloat, How::fused);
    at::set_num_threads(before);
    return results;
  };
  const auto a = one(1), b = one(2);
  for (std::size_t i = 0; i < a.size(); ++i) EXPECT_TRUE(at::equal(a[i], b[i])) << i;
  c.x[5][3][1][1].fill_(std::numeric_limits<double>::quiet_NaN());
  const at::Tensor y = c.run(at::kFloat, How::fused)[0];
  EXPECT_TRUE(y.select(1, 3).isnan().all().item<bool>());
  EXPECT_FALSE(y.select(1, 4).isnan().any().item<bool>());
}

TEST(FinishNorm, IsTheOperatorsOneByOneInPlace) {
  for (const bool shortcut : {false, true})
    for (const double high : {kInfinity, 1.0}) {
      at::manual_seed(2);
      const at::Tensor y = at::randn({3, 5, 7, 3}).contiguous(at::MemoryFormat::ChannelsLast),
                       beside = at::randn({3, 5, 7, 3}).contiguous(at::MemoryFormat::ChannelsLast);
      const at::Tensor expected = (shortcut ? y + beside : y).clamp(0, high);
      const at::Tensor out = finish_norm_(y, shortcut ? beside : at::Tensor(), {0, high});
      EXPECT_TRUE(at::equal(out, expected));
      EXPECT_TRUE(out.is_same(y));
      const at::Tensor other = finish_norm_(beside.contiguous(), at::Tensor(), {0, high});
      EXPECT_TRUE(at::equal(other, beside.clamp(0, high)));
    }
}

}  // namespace
}  // namespace mgd
