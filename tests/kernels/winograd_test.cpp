// Every instruction set this machine has against the convolution's definition in double, on odd shapes and in
// groups that end within a sample.
#include "mgd/kernels/winograd.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <memory>
#include <vector>

#include "mgd/core/philox.h"
#include "usable_isas.h"

namespace mgd {
namespace {

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

struct Shape {
  std::int64_t batch, height, width, in, out;
};

std::size_t size_of(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

// Planes begin at a multiple of 64 bytes.
class Planes {
 public:
  Planes(std::int64_t rows, std::int64_t channels)
      : data_(static_cast<float*>(
                  std::aligned_alloc(64, size_of(kWinogradPlanes * winograd_plane(rows, channels)) * 4)),
              std::free) {
    std::fill_n(data_.get(), kWinogradPlanes * winograd_plane(rows, channels), 0.0F);
  }
  float* get() const { return data_.get(); }

 private:
  std::unique_ptr<float, decltype(&std::free)> data_;
};

struct Case {
  Shape s;
  Floats input, weight, grad;  // weight (9, in, out)

  explicit Case(Shape shape) : s(shape) {
    RandomStream random(random_key(3, "winograd"), 0, 0);
    const auto fill = [&](std::int64_t n) {
      Floats values(size_of(n));
      for (float& v : values) v = static_cast<float>(random.normal());
      return values;
    };
    const std::int64_t positions = s.batch * s.height * s.width;
    input = fill(positions * s.in), weight = fill(9 * s.in * s.out), grad = fill(positions * s.out);
  }

  // visit(output position, tap, input position) for every tap inside the map.
  template <class Visit>
  void taps(const Visit& visit) const {
    for (std::int64_t b = 0; b < s.batch; ++b)
      for (std::int64_t y = 0; y < s.height; ++y)
        for (std::int64_t x = 0; x < s.width; ++x)
          for (std::int64_t tap = 0; tap < 9; ++tap) {
            const std::int64_t v = y + tap / 3 - 1, u = x + tap % 3 - 1;
            if (v >= 0 && v < s.height && u >= 0 && u < s.width)
              visit((b * s.height + y) * s.width + x, tap, (b * s.height + v) * s.width + u);
          }
  }

  Doubles output() const {
    Doubles y(grad.size(), 0.0);
    taps([&](std::int64_t to, std::int64_t tap, std::int64_t from) {
      for (std::int64_t i = 0; i < s.in; ++i)
        for (std::int64_t o = 0; o < s.out; ++o)
          y[size_of(to * s.out + o)] += static_cast<double>(input[size_of(from * s.in + i)]) *
                                        static_cast<double>(weight[size_of((tap * s.in + i) * s.out + o)]);
    });
    return y;
  }

  Doubles grad_weight() const {
    Doubles w(weight.size(), 0.0);
    taps([&](std::int64_t to, std::int64_t tap, std::int64_t from) {
      for (std::int64_t i = 0; i < s.in; ++i)
        for (std::int64_t o = 0; o < s.out; ++o)
          w[size_of((tap * s.in + i) * s.out + o)] += static_cast<double>(input[size_of(from * s.in + i)]) *
                                                      static_cast<double>(grad[size_of(to * s.out + o)]);
    });
    return w;
  }

  WinogradMap map(std::int64_t channels) const { return {s.height, s.width, channels}; }
  WinogradFilter filter() const {
    return {.rows = s.in, .columns = s.out, .tap_stride = s.in * s.out, .row_stride = s.out};
  }
};

template <class Visit>
void each_group(const Case& c, const Visit& visit) {
  constexpr std::int64_t kEach = 5;
  const std::int64_t tiles = c.s.batch * c.map(1).tiles();
  for (std::int64_t first = 0; first < tiles; first += kEach)
    visit(WinogradTiles{first, std::min(kEach, tiles - first)});
}

void expect_near(const Floats& made, const Doubles& expected) {
  double largest = 0;
  for (const double v : expected) largest = std::max(largest, std::abs(v));
  ASSERT_EQ(made.size(), expected.size());
  for (std::size_t i = 0; i < made.size(); ++i)
    ASSERT_NEAR(static_cast<double>(made[i]), expected[i], 2e-5 * largest) << i;
}

const std::vector<Shape> kShapes = {{1, 1, 1, 3, 5},    {2, 4, 4, 16, 16}, {3, 7, 7, 17, 33},
                                    {1, 31, 17, 5, 16}, {2, 8, 8, 64, 70}, {1, 5, 12, 40, 96}};

template <class Check>
void on_every_isa(const Check& check) {
  for (const IsaState& state : usable_isas()) {
    for (const Shape& s : kShapes) {
      SCOPED_TRACE(testing::Message() << state.name << " " << s.batch << "x" << s.height << "x" << s.width
                                      << " " << s.in << " -> " << s.out);
      check(winograd_kernel(state.isa), Case(s));
    }
  }
}

TEST(WinogradKernel, ConvolvesOnEveryInstructionSet) {
  on_every_isa([](const WinogradKernel& kernel, const Case& c) {
    const Planes filter(c.s.in, c.s.out);
    // In two parts, as two threads would.
    WinogradFilter part = c.filter();
    part.rows = c.s.in / 2;
    kernel.filter(c.weight.data(), part, 0, c.s.in, filter.get());
    part.rows = c.s.in - c.s.in / 2;
    kernel.filter(c.weight.data() + c.s.in / 2 * c.s.out, part, c.s.in / 2, c.s.in, filter.get());
    Floats y(c.grad.size());
    each_group(c, [&](const WinogradTiles& tiles) {
      const Planes from(tiles.count, c.s.in), to(tiles.count, c.s.out);
      kernel.input(c.input.data(), c.map(c.s.in), tiles, from.get());
      kernel.multiply(from.get(), filter.get(), tiles.count, c.s.in, c.s.out, to.get());
      kernel.output(to.get(), c.map(c.s.out), tiles, y.data());
    });
    expect_near(y, c.output());
  });
}

TEST(WinogradKernel, GradientOfWeightsOnEveryInstructionSet) {
  on_every_isa([](const WinogradKernel& kernel, const Case& c) {
    const Planes sums(c.s.in, c.s.out);
    each_group(c, [&](const WinogradTiles& tiles) {
      const Planes from(tiles.count, c.s.in), grad(tiles.count, c.s.out);
      kernel.input(c.input.data(), c.map(c.s.in), tiles, from.get());
      kernel.grad_output(c.grad.data(), c.map(c.s.out), tiles, grad.get());
      for (int p = 0; p < kWinogradPlanes; ++p)
        kernel.multiply_transposed(from.get() + p * winograd_plane(tiles.count, c.s.in),
                                   grad.get() + p * winograd_plane(tiles.count, c.s.out), tiles.count, c.s.in,
                                   c.s.out, sums.get() + p * winograd_plane(c.s.in, c.s.out));
    });
    Floats w(c.weight.size());
    kernel.grad_filter(sums.get(), c.filter(), 0, c.s.in, w.data());
    expect_near(w, c.grad_weight());
  });
}

}  // namespace
}  // namespace mgd
