// Every instruction set this machine has against the double-accumulating reference, on odd shapes, in float
// and in bfloat16. What is hidden is NaN in all inputs.
#include "mgd/kernels/masked_conv.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <type_traits>
#include <vector>

#include "mgd/core/philox.h"
#include "usable_isas.h"

namespace mgd {
namespace {

struct Shape {
  std::int64_t batch, height, width, in, out;
  bool by_channel;
  double visible;  // share of positions or channels
};

using Floats = std::vector<float>;
using Doubles = std::vector<double>;

std::size_t size_of(std::int64_t n) {
  return static_cast<std::size_t>(n);
}

template <class T>
std::vector<T> as(const Floats& values) {
  std::vector<T> result(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) from_float(values[i], result[i]);
  return result;
}

struct Passes {
  Floats output, grad_input, grad_weight;  // grad_weight (9, in, out)
  std::vector<Bf16> rounded;               // output
  ConvWork forward, backward_input, backward_weight;
};

struct Case {
  Shape s;
  Floats input, weight, bias, grad;  // weight (out, 9, in)
  std::vector<std::uint8_t> keep;
  std::vector<std::vector<std::int32_t>> positions, channels;  // of each sample

  // bf16: every value is one of bfloat16, so that both types compute the same.
  explicit Case(Shape shape, bool bf16 = false) : s(shape) {
    RandomStream random(random_key(7, "masked_conv"), 0, 0);
    const auto fill = [&](std::int64_t n) {
      Floats values(size_of(n));
      for (float& v : values) v = static_cast<float>(random.normal());
      return values;
    };
    const std::int64_t area = s.height * s.width, n = s.batch * area;
    input = fill(n * s.in), weight = fill(s.out * kConvTaps * s.in), bias = fill(s.out),
    grad = fill(n * s.out);
    keep.resize(input.size());
    positions.resize(size_of(s.batch)), channels.resize(size_of(s.batch));
    for (std::int64_t b = 0; b < s.batch; ++b) {
      auto &p = positions[size_of(b)], &c = channels[size_of(b)];
      for (std::int64_t i = 0; i < area; ++i)
        if (s.by_channel || random.uniform() < s.visible) p.push_back(static_cast<std::int32_t>(i));
      for (std::int64_t i = 0; i < s.in; ++i)
        if (!s.by_channel || random.uniform() < s.visible) c.push_back(static_cast<std::int32_t>(i));
      for (const std::int32_t i : p)
        for (const std::int32_t j : c) keep[size_of((b * area + i) * s.in + j)] = 1;
    }
    for (std::size_t i = 0; i < input.size(); ++i)
      if (keep[i] == 0) input[i] = std::numeric_limits<float>::quiet_NaN();
    if (!bf16) return;
    for (Floats* values : {&input, &weight, &grad})
      for (float& v : *values) {
        Bf16 rounded;
        from_float(v, rounded);
        v = to_float(rounded);
      }
  }

  MaskedConvProblem problem() const {
    return {s.batch, s.height, s.width, s.in, s.out, input.data(), keep.data(), weight.data(), bias.data()};
  }

  // Visible values times the taps that are inside the map for them, times outputs.
  std::int64_t expected_macs() const {
    std::int64_t sum = 0;
    for (std::size_t b = 0; b < positions.size(); ++b)
      for (const std::int32_t p : positions[b]) {
        const std::int64_t y = p / s.width, x = p % s.width;
        const std::int64_t rows = 1 + (y > 0) + (y + 1 < s.height), columns = 1 + (x > 0) + (x + 1 < s.width);
        sum += rows * columns * static_cast<std::int64_t>(channels[b].size());
      }
    return sum * s.out;
  }

  // (9, in, out), as the forward pass reads weights.
  Floats inputs_first() const {
    Floats w(weight.size());
    for (std::int64_t n = 0; n < s.out; ++n)
      for (std::int64_t k = 0; k < kConvTaps * s.in; ++k)
        w[size_of(k * s.out + n)] = weight[size_of(n * kConvTaps * s.in + k)];
    return w;
  }

  template <class T>
  Passes run(Isa isa, bool relu) const {
    const MaskedConvKernel<T> kernel = masked_conv_kernel<T>(isa);
    const std::int64_t area = s.height * s.width;
    const auto x = as<T>(input), w = as<T>(weight), first = as<T>(inputs_first()), dy = as<T>(grad);
    Passes r{.output = Floats(grad.size(), -7),
             .grad_input = Floats(input.size(), 0),
             .grad_weight = Floats(weight.size(), 0),
             .rounded = std::vector<Bf16>(grad.size())};
    Floats sums(size_of(area * kConvPanel), -7);
    for (std::int64_t b = 0; b < s.batch; ++b) {
      const auto &p = positions[size_of(b)], &c = channels[size_of(b)];
      const VisiblePart part{p.data(), s.by_channel ? c.data() : nullptr, static_cast<std::int64_t>(p.size()),
                             static_cast<std::int64_t>(c.size())};
      std::vector<std::int32_t> in(kConvTaps * p.size()), out(in.size());
      std::int64_t begin[kConvTaps + 1];
      find_conv_pairs(s.height, s.width, p.data(), part.rows, in.data(), out.data(), begin);
      std::vector<T> compact(size_of(part.rows * part.depth));
      Floats grad_compact(compact.size(), -7), panels(size_of(conv_panels_size(part.rows, part.depth)));
      gather_visible(Rows<const T>{x.data() + b * area * s.in, s.in}, part, compact.data());
      kernel.pack(compact.data(), part.rows, part.depth, panels.data());
      const Rows<const T> g{dy.data() + b * area * s.out, s.out};
      const ConvProduct<T> forward{.begin = begin,
                                   .from_row = in.data(),
                                   .to_row = out.data(),
                                   .from = {compact.data(), part.depth},
                                   .to = {r.output.data() + b * area * s.out, s.out},
                                   .depth = part.depth,
                                   .width = s.out,
                                   .to_rows = area,
                                   .weight = {first.data(), s.in * s.out, s.out, 1, part.channels, nullptr},
                                   .start = bias.data(),
                                   .relu = relu};
      ConvProduct<T> rounding = forward;
      rounding.rounded = {r.rounded.data() + b * area * s.out, s.out};
      rounding.to = {sums.data(), kConvPanel};
      const ConvProduct<T> backward{
          .begin = begin,
          .from_row = out.data(),
          .to_row = in.data(),
          .from = g,
          .to = {grad_compact.data(), part.depth},
          .depth = s.out,
          .width = part.depth,
          .to_rows = part.rows,
          .weight = s.by_channel ? ConvWeight<T>{first.data(), s.in * s.out, 1, s.out, nullptr, part.channels}
                                 : ConvWeight<T>{w.data(), s.in, kConvTaps * s.in, 1}};
      const ConvWeightGradient<T> of_weight{
          {in.data(), out.data(), begin}, panels.data(), part.rows, part.depth, part.channels, g, s.out,
          {r.grad_weight.data(), s.out},  s.in};
      for (std::int64_t panel = 0; panel * kConvPanel < s.out; ++panel) {
        kernel.product(forward, panel, r.forward);
        ConvWork again;
        kernel.product(rounding, panel, again);
        for (int tap = 0; tap < kConvTaps; ++tap)
          kernel.weight_gradient(of_weight, tap, panel, r.backward_weight);
      }
      for (std::int64_t panel = 0; panel * kConvPanel < part.depth; ++panel)
        kernel.product(backward, panel, r.backward_input);
      scatter_visible(grad_compact.data(), part, {r.grad_input.data() + b * area * s.in, s.in});
    }
    return r;
  }
};

struct Reference {
  Doubles output, grad_input, grad_weight, grad_bias;
  explicit Reference(const Case& c)
      : output(c.grad.size()),
        grad_input(c.input.size()),
        grad_weight(c.weight.size()),
        grad_bias(c.bias.size()) {
    masked_conv_ref(c.problem(), output.data());
    masked_conv_backward_ref(c.problem(), c.grad.data(),
                             {grad_input.data(), grad_weight.data(), grad_bias.data()});
  }
};

// What naive float code makes of it: one sum after the other, in the order of the definition.
struct Naive {
  Floats output, grad_input, grad_weight;
  explicit Naive(const Case& c)
      : output(c.grad.size()), grad_input(c.input.size()), grad_weight(c.weight.size()) {
    const Shape& s = c.s;
    for (std::int64_t o = 0; o < s.batch * s.height * s.width; ++o) {
      std::copy(c.bias.begin(), c.bias.end(), output.begin() + o * s.out);
      const std::int64_t b = o / (s.height * s.width), y = o / s.width % s.height, x = o % s.width;
      for (std::int64_t tap = 0; tap < kConvTaps; ++tap) {
        const std::int64_t v = y + tap / 3 - 1, u = x + tap % 3 - 1;
        if (v < 0 || v >= s.height || u < 0 || u >= s.width) continue;
        const std::int64_t i = (b * s.height + v) * s.width + u;
        for (std::int64_t ch = 0; ch < s.in; ++ch)
          for (std::int64_t n = 0; n < s.out; ++n) {
            const std::size_t in = size_of(i * s.in + ch), out = size_of(o * s.out + n),
                              w = size_of((n * kConvTaps + tap) * s.in + ch);
            const float shown = c.keep[in] ? c.input[in] : 0;
            output[out] += shown * c.weight[w];
            grad_weight[w] += shown * c.grad[out];
            if (c.keep[in]) grad_input[in] += c.weight[w] * c.grad[out];
          }
      }
    }
  }
};

double worst(const Floats& got, const Doubles& expected) {
  double error = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    const double e = std::abs(static_cast<double>(got[i]) - expected[i]);
    error = std::isnan(e) ? std::numeric_limits<double>::infinity() : std::max(error, e);
  }
  return error;
}

double largest(const Doubles& values) {
  double most = 0;
  for (const double v : values) most = std::max(most, std::abs(v));
  return most;
}

void expect_close(const Floats& got, const Doubles& expected, const Floats& naive, const char* what) {
  EXPECT_LE(worst(got, expected), 2 * worst(naive, expected) + 2e-7 * largest(expected)) << what;
}

// (9, in, out) -> (out, 9, in).
Floats outputs_first(const Floats& w, std::int64_t out) {
  Floats result(w.size());
  const std::size_t n = size_of(out), rows = n == 0 ? 0 : w.size() / n;
  for (std::size_t k = 0; k < rows; ++k)
    for (std::size_t o = 0; o < n; ++o) result[o * rows + k] = w[k * n + o];
  return result;
}

const std::vector<Shape> kShapes = {
    {1, 1, 1, 1, 1, false, 1},       {3, 1, 1, 19, 70, false, 1},    {2, 7, 7, 64, 64, false, 0.35},
    {1, 7, 7, 20, 130, false, 0.25}, {1, 31, 17, 33, 7, false, 0.5}, {2, 31, 17, 16, 48, false, 0.25},
    {2, 5, 3, 200, 65, false, 1},    {2, 4, 6, 12, 16, false, 0},    {1, 1, 9, 6, 17, false, 0.6},
    {3, 1, 1, 19, 70, true, 0.5},    {2, 7, 7, 64, 64, true, 0.5},   {1, 7, 7, 150, 30, true, 0.35},
    {1, 31, 17, 33, 7, true, 0.5},   {2, 5, 3, 200, 65, true, 1},    {2, 4, 6, 12, 16, true, 0},
    {2, 6, 5, 300, 80, true, 0.7},   {1, 1, 1, 1, 1, true, 1},       {1, 5, 3, 261, 131, false, 0.7},
    {1, 20, 19, 7, 6, false, 0.9}};

template <class T>
void expect_reference(const Shape& shape) {
  const Case c(shape, std::is_same_v<T, Bf16>);
  const Reference expected(c);
  const Naive naive(c);
  for (const auto& [isa, name, reason] : usable_isas()) {
    SCOPED_TRACE(testing::Message() << "isa " << static_cast<int>(isa) << ", " << sizeof(T)
                                    << " bytes: " << shape.batch << " x " << shape.in << " -> " << shape.out
                                    << ", " << shape.height << " x " << shape.width << ", by channel "
                                    << shape.by_channel << ", visible " << shape.visible);
    const Passes got = c.run<T>(isa, /*relu=*/false);
    expect_close(got.output, expected.output, naive.output, "output");
    expect_close(got.grad_input, expected.grad_input, naive.grad_input, "grad_input");
    expect_close(outputs_first(got.grad_weight, shape.out), expected.grad_weight, naive.grad_weight,
                 "grad_weight");
    EXPECT_EQ(got.forward.macs, c.expected_macs());
    EXPECT_EQ(got.backward_input.macs, c.expected_macs());
    EXPECT_EQ(got.backward_weight.macs, c.expected_macs());
  }
}

// Sums are float for both types: the same tolerance, from what naive float code makes of the same values.
TEST(MaskedConvKernel, EveryInstructionSetAgreesWithTheReferenceAndDoesTheWorkOfTheFormula) {
  for (const Shape& shape : kShapes) {
    expect_reference<float>(shape);
    expect_reference<Bf16>(shape);
  }
}

template <class T>
void expect_relu(const Case& c, Isa isa) {
  const Passes plain = c.run<T>(isa, false), relu = c.run<T>(isa, true);
  for (std::size_t i = 0; i < plain.output.size(); ++i)
    EXPECT_EQ(relu.output[i], std::max(plain.output[i], 0.0F));
}

TEST(MaskedConvKernel, ReluFollowsTheSumAndKeepsNan) {
  Case c({1, 5, 6, 20, 70, false, 0.5});
  for (const auto& [isa, name, reason] : usable_isas()) {
    expect_relu<float>(c, isa);
    expect_relu<Bf16>(c, isa);
  }
  c.bias[3] = std::numeric_limits<float>::quiet_NaN();
  for (const auto& [isa, name, reason] : usable_isas()) {
    EXPECT_TRUE(std::isnan(c.run<float>(isa, true).output[3]));
    EXPECT_TRUE(std::isnan(to_float(c.run<Bf16>(isa, true).rounded[3])));
  }
}

TEST(MaskedConvKernel, RoundsWhatItSummed) {
  const Case c({2, 5, 6, 21, 70, false, 0.5}, /*bf16=*/true);
  for (const auto& [isa, name, reason] : usable_isas()) {
    const Passes got = c.run<Bf16>(isa, true);
    const auto expected = as<Bf16>(got.output);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_EQ(got.rounded[i].bits, expected[i].bits);
  }
}

// Units of two rows where one of them meets nothing at a tap, and a visible row that is infinite.
TEST(MaskedConvKernel, AnInfiniteRowStaysInItsChannels) {
  Case c({1, 4, 5, 12, 16, false, 1});
  c.input[7] = std::numeric_limits<float>::infinity();
  for (const auto& [isa, name, reason] : usable_isas()) {
    const Passes got = c.run<Bf16>(isa, false);
    bool others_finite = true;
    for (std::size_t i = 0; i < got.grad_weight.size(); ++i)
      others_finite &=
          static_cast<std::int64_t>(i) / c.s.out % c.s.in == 7 || std::isfinite(got.grad_weight[i]);
    EXPECT_TRUE(others_finite);
  }
}

TEST(MaskedConvKernel, PairsLeaveOutTapsOutsideTheMap) {
  // The middle of the upper edge of a 2 x 3 map, in its second sample.
  const std::int32_t position = 7;
  std::int32_t in[kConvTaps], out[kConvTaps];
  std::int64_t begin[kConvTaps + 1];
  find_conv_pairs(2, 3, &position, 1, in, out, begin);
  EXPECT_EQ(begin[kConvTaps], 6);
  // Upper taps read it from the row below: outputs (1, 2), (1, 1), (1, 0); middle taps from its own row.
  const std::int32_t expected[6] = {11, 10, 9, 8, 7, 6};
  for (int i = 0; i < 6; ++i) EXPECT_EQ(out[i], expected[i]);
  EXPECT_EQ(begin[6], 6);
}

}  // namespace
}  // namespace mgd
