// Every instruction set this machine has against the double-accumulating reference, on odd shapes.
#include "mgd/kernels/attention.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>

#include "mgd/core/error.h"
#include "mgd/core/philox.h"
#include "usable_isas.h"

namespace mgd {
namespace {

struct Shape {
  std::int64_t queries, keys, dim, group;
  bool causal;
  std::int64_t window;
  double dropout = 0;
};

float from_bits(Bf16 x) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(x.bits) << 16);
}
void put(float value, float& to) {
  to = value;
}
void put(float value, double& to) {
  to = value;
}
void put(float value, Bf16& to) {
  to.bits = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(value) >> 16);
}
double get(float x) {
  return x;
}
double get(double x) {
  return x;
}
double get(Bf16 x) {
  return from_bits(x);
}

// One problem with its results, in type T. q and grad hold (queries, group, dim).
template <class T>
struct Case {
  Shape s;
  std::vector<T> q, k, v, grad, out, dq, dk, dv;
  std::vector<std::int32_t> first, last;
  std::vector<std::uint8_t> extra;
  std::vector<SavedType<T>> most, inverse;
  std::int64_t tiles_forward = 0, tiles_backward = 0;

  explicit Case(Shape shape) : s(shape) {
    RandomStream random(random_key(7, "attention"), 0, 0);
    const auto fill = [&](std::vector<T>& to, std::int64_t n) {
      to.resize(static_cast<std::size_t>(n));
      for (T& x : to) {
        // Values that bfloat16 holds exactly: all types then see the same numbers.
        const auto value = static_cast<float>(random.normal());
        put(std::bit_cast<float>(std::bit_cast<std::uint32_t>(value) & 0xFFFF0000U), x);
      }
    };
    fill(q, s.queries * s.group * s.dim), fill(k, s.keys * s.dim), fill(v, s.keys * s.dim),
        fill(grad, s.queries * s.group * s.dim);
    out = dq = q;
    dk = dv = k;
    most.resize(static_cast<std::size_t>(s.queries * s.group));
    inverse.resize(most.size());
    for (std::int64_t i = 0; i < s.queries; ++i) {
      const std::int64_t at = i + s.keys - s.queries;
      std::int64_t a = s.window >= 0 ? std::max<std::int64_t>(0, at - s.window) : 0,
                   b = s.causal ? at + 1 : s.keys;
      if (s.window >= 0) b = std::min(b, at + s.window + 1);
      b = std::clamp<std::int64_t>(b, 0, s.keys);
      first.push_back(static_cast<std::int32_t>(std::min(a, b)));
      last.push_back(static_cast<std::int32_t>(b));
    }
  }

  AttentionProblem<T> problem() const {
    AttentionProblem<T> p{.q_length = s.queries,
                          .k_length = s.keys,
                          .head_dim = s.dim,
                          .group = s.group,
                          .first_head = 3,
                          .q = {q.data(), s.group * s.dim},
                          .k = {k.data(), s.dim},
                          .v = {v.data(), s.dim},
                          .q_head_stride = s.dim,
                          .first = first.data(),
                          .last = last.data(),
                          .scale = 1 / std::sqrt(static_cast<double>(s.dim)),
                          .dropout = {.p = s.dropout, .key = 0x1234567890ULL, .id = 42}};
    if (!extra.empty()) p.extra = extra.data(), p.extra_stride = s.keys;
    return p;
  }
  AttentionForward<T> forward_into() {
    return {.out = {out.data(), s.group * s.dim},
            .out_head_stride = s.dim,
            .saved = {most.data(), inverse.data(), s.queries}};
  }
  AttentionBackward<T> backward_into() {
    return {.out = {out.data(), s.group * s.dim},
            .grad_out = {grad.data(), s.group * s.dim},
            .out_head_stride = s.dim,
            .grad_out_head_stride = s.dim,
            .saved = {most.data(), inverse.data(), s.queries},
            .grad_q = {dq.data(), s.group * s.dim},
            .grad_k = {dk.data(), s.dim},
            .grad_v = {dv.data(), s.dim},
            .grad_q_head_stride = s.dim};
  }
  void run_reference() {
    attention_forward_ref(problem(), forward_into());
    attention_backward_ref(problem(), backward_into());
  }
  void run(Isa isa) {
    const auto bytes = static_cast<std::size_t>(attention_workspace(s.queries, s.keys, s.dim));
    const std::unique_ptr<void, void (*)(void*)> memory(std::aligned_alloc(64, (bytes + 63) / 64 * 64),
                                                        std::free);
    std::memset(memory.get(), 0xFF, bytes);  // NaN wherever nothing was written
    const auto kernel = attention_kernel<T>(isa);
    AttentionWork forward_work, backward_work;
    kernel.forward(problem(), forward_into(), memory.get(), forward_work);
    std::memset(memory.get(), 0xFF, bytes);
    kernel.backward(problem(), backward_into(), memory.get(), backward_work);
    tiles_forward = forward_work.tiles;
    tiles_backward = backward_work.tiles;
  }
};

template <class A, class B>
double worst(const std::vector<A>& a, const std::vector<B>& b) {
  double most = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    const double d = std::abs(get(a[i]) - get(b[i]));
    most = d <= most ? most : d;  // NaN wins
  }
  return most;
}

const std::vector<Shape> kShapes = {
    {1, 1, 16, 1, false, -1},        {1, 70, 64, 1, true, -1},       {7, 7, 24, 2, false, -1},
    {31, 17, 16, 1, true, -1},       {48, 64, 64, 1, false, -1},     {49, 65, 64, 3, true, -1},
    {130, 130, 32, 1, true, 9},      {130, 130, 128, 1, false, 20},  {100, 250, 80, 1, true, -1},
    {65, 65, 64, 1, false, -1, 0.3}, {97, 97, 16, 2, true, -1, 0.1}, {1024, 1024, 16, 1, true, -1},
    {3, 200, 65, 1, false, 0},
};

TEST(AttentionKernel, EveryInstructionSetEqualsTheReference) {
  for (const Shape& shape : kShapes) {
    Case<double> exact(shape);
    exact.run_reference();
    for (const auto& [isa, name, reason] : usable_isas()) {
      SCOPED_TRACE(fmt::format("isa {} T {} S {} D {} group {} causal {} window {}", static_cast<int>(isa),
                               shape.queries, shape.keys, shape.dim, shape.group, shape.causal,
                               shape.window));
      Case<float> fast(shape);
      fast.run(isa);
      EXPECT_LT(worst(fast.out, exact.out), 4e-6);
      EXPECT_LT(worst(fast.dq, exact.dq), 2e-5);
      EXPECT_LT(worst(fast.dk, exact.dk), 6e-5);
      EXPECT_LT(worst(fast.dv, exact.dv), 6e-5);
      Case<Bf16> half(shape);
      half.run(isa);
      EXPECT_LT(worst(half.out, exact.out), 0.02);
      EXPECT_LT(worst(half.dv, exact.dv), 0.1);
    }
  }
}

TEST(AttentionKernel, VisitedTilesFollowTheFormula) {
  for (const Shape& shape : kShapes) {
    Case<float> c(shape);
    c.run(Isa::portable);
    const std::int64_t expected =
        shape.group * count_attention_tiles(c.first.data(), c.last.data(), shape.queries, shape.keys);
    EXPECT_EQ(c.tiles_forward, expected);
    EXPECT_EQ(c.tiles_backward, expected);
  }
}

TEST(AttentionKernel, CausalAndWindowLeaveTilesOut) {
  const std::int64_t n = 48 * 64;
  const Case<float> full({n, n, 16, 1, false, -1}), causal({n, n, 16, 1, true, -1}),
      window({n, n, 16, 1, true, 64});
  const auto tiles = [&](const Case<float>& c) {
    return count_attention_tiles(c.first.data(), c.last.data(), n, n);
  };
  EXPECT_EQ(tiles(full), 64 * 48);
  // Tile row r of 48 queries ends at query 48 r + 47, so it needs the key tiles 0 ... (48 r + 47) / 64.
  std::int64_t expected = 0;
  for (std::int64_t r = 0; r < 64; ++r) expected += (48 * r + 47) / 64 + 1;
  EXPECT_EQ(tiles(causal), expected);
  EXPECT_LT(tiles(window), 3 * 64);
}

TEST(AttentionKernel, NothingOfAHiddenKeyGetsThrough) {
  constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
  const Shape shape{70, 70, 24, 1, false, -1};
  for (const auto& [isa, name, reason] : usable_isas()) {
    Case<float> clean(shape), dirty(shape);
    for (Case<float>* c : {&clean, &dirty}) {
      c->extra.assign(static_cast<std::size_t>(shape.queries * shape.keys), 1);
      for (std::int64_t i = 0; i < shape.queries; ++i)
        c->extra[static_cast<std::size_t>(i * shape.keys + 5)] = i == 60;
    }
    // Key 5 is seen by query 60 alone: everything else stays as it was.
    for (std::int64_t d = 0; d < shape.dim; ++d)
      dirty.k[static_cast<std::size_t>(5 * shape.dim + d)] = kNan,
                                                       dirty.v[static_cast<std::size_t>(5 * shape.dim + d)] =
                                                           kNan;
    clean.run(isa);
    dirty.run(isa);
    for (std::int64_t i = 0; i < shape.queries; ++i)
      for (std::int64_t d = 0; d < shape.dim; ++d) {
        const auto at = static_cast<std::size_t>(i * shape.dim + d);
        if (i == 60) {
          EXPECT_TRUE(std::isnan(dirty.out[at]));
        } else {
          EXPECT_NEAR(dirty.out[at], clean.out[at], 1e-6);
          EXPECT_NEAR(dirty.dq[at], clean.dq[at], 1e-5);
        }
      }
  }
}

TEST(AttentionKernel, DropoutDropsItsShareAndKeepsTheMean) {
  const DropoutRule rule({.p = 0.25, .key = 99, .id = 3});
  std::int64_t dropped = 0;
  constexpr std::int64_t kBlocks = 20000;
  for (std::int64_t b = 0; b < kBlocks; ++b) {
    float factors[8];
    rule.fill(0, b % 97, b / 97, factors);
    for (const float f : factors) {
      EXPECT_TRUE(f == 0 || f == rule.factor());
      dropped += f == 0 ? 1 : 0;
    }
  }
  // Five standard deviations of a binomial with n = 160,000.
  EXPECT_NEAR(static_cast<double>(dropped) / (8 * kBlocks), 0.25, 5 * std::sqrt(0.25 * 0.75 / (8 * kBlocks)));
  EXPECT_FLOAT_EQ(rule.factor(), 1 / 0.75F);
}

TEST(Isa, TheForceSwitchNamesWhatItDoesNotKnow) {
  setenv("MGD_ISA", "avx51", 1);
  try {
    chosen_isa();
    ADD_FAILURE() << "not refused";
  } catch (const Error& e) {
    EXPECT_THAT(e.what(), testing::HasSubstr("MGD_ISA: got 'avx51'"));
    EXPECT_THAT(e.what(), testing::HasSubstr("avx512"));
  }
  setenv("MGD_ISA", "portable", 1);
  EXPECT_EQ(chosen_isa(), Isa::portable);
  unsetenv("MGD_ISA");
}

}  // namespace
}  // namespace mgd
