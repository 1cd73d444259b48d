// What a caller of attention gets wrong is refused by name, and what has one obvious meaning is expanded.
#include <ATen/TensorOperators.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/rand.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "expect_error.h"
#include "ops/attention_support.h"

namespace mgd {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t B = 3, T = 6, S = 9;
const auto kLong = at::TensorOptions().dtype(at::kLong);
const auto kBool = at::TensorOptions().dtype(at::kBool);

struct Padded {
  Qkv x = random_qkv(B, 2, T, S, 8);
  at::Tensor attend(const AttentionMask& mask, const AttentionOptions& options = {}) const {
    return masked_attention(x.q, x.k, x.v, mask, options);
  }
  std::string refusal(const AttentionMask& mask, const AttentionOptions& options = {}) const {
    return error_of(ExitCode::usage, [&] { attend(mask, options); });
  }
};

TEST(AttentionArguments, ADimensionOfOneOfAMaskStandsForAll) {
  const Padded p;
  const at::Tensor keep = key_keep_from_lengths({4}, S);  // (1, S)
  const at::Tensor queries = at::zeros({1, T}, kLong),
                   documents = keep.to(at::kLong).logical_not().to(at::kLong);
  const at::Tensor row = at::rand({1, 1, S}) < 0.5;
  for (const auto& [one, all] : std::vector<std::pair<AttentionMask, AttentionMask>>{
           {{.key_keep = keep}, {.key_keep = keep.repeat({B, 1})}},
           {{.q_documents = queries, .key_documents = documents},
            {.q_documents = queries.repeat({B, 1}), .key_documents = documents.repeat({B, 1})}},
           {{.extra = row}, {.extra = row.repeat({B, T, 1})}},
           {{.extra = row.expand({1, T, S})}, {.extra = row.repeat({B, T, 1})}}}) {
    EXPECT_EQ(worst(p.attend(one), p.attend(all)), 0);
    EXPECT_TRUE(keep_matrix(one, B, T, S).equal(keep_matrix(all, B, T, S)));
    EXPECT_EQ(worst(p.attend(one), naive_attention(p.x, keep_matrix(all, B, T, S))) < 1e-12, true);
  }
}

TEST(AttentionArguments, MasksOfAnotherShapeOrTypeAreRefused) {
  const Padded p;
  EXPECT_THAT(p.refusal({.key_keep = at::ones({2, S}, kBool)}),
              AllOf(HasSubstr("key_keep"), HasSubstr("bool (2, 9)"), HasSubstr("(3, 9)")));
  EXPECT_THAT(p.refusal({.key_keep = at::ones({S}, kBool)}), HasSubstr("bool (9)"));
  EXPECT_THAT(p.refusal({.key_keep = at::ones({B, T}, kBool)}), HasSubstr("bool (3, 6)"));
  EXPECT_THAT(p.refusal({.key_keep = at::ones({B, S})}), HasSubstr("float (3, 9)"));
  EXPECT_THAT(p.refusal({.extra = at::ones({T, S}, kBool)}),
              AllOf(HasSubstr("extra"), HasSubstr("(3, 6, 9)")));
  EXPECT_THAT(p.refusal({.extra = at::zeros({B, T, S})}), HasSubstr("float (3, 6, 9)"));
  const at::Tensor q = at::zeros({B, T}, kLong), k = at::zeros({B, S}, kLong);
  EXPECT_THAT(p.refusal({.q_documents = q}), HasSubstr("both or neither"));
  EXPECT_THAT(p.refusal({.q_documents = q, .key_documents = q}), HasSubstr("key_documents"));
  EXPECT_THAT(p.refusal({.q_documents = q.to(at::kFloat), .key_documents = k}), HasSubstr("q_documents"));
  EXPECT_THAT(p.refusal({.window = -2}), HasSubstr("window"));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         keep_matrix({.key_keep = at::ones({2, S}, kBool)}, B, T, S);
                       }),
              HasSubstr("key_keep"));
}

TEST(AttentionArguments, OptionsOutOfRangeAreRefused) {
  const Padded p;
  constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
  for (const double dropout : {1.5, 1.0, -0.1, kNan})
    EXPECT_THAT(p.refusal({}, {.dropout = dropout}), HasSubstr("dropout"));
  for (const double scale : {-1.0, kNan, std::numeric_limits<double>::infinity()})
    EXPECT_THAT(p.refusal({}, {.scale = scale}), HasSubstr("scale"));
  EXPECT_THAT(p.refusal({}, {.window = -7}), HasSubstr("window"));
  // As wide as can be said: no limit.
  EXPECT_EQ(worst(p.attend({}, {.window = std::numeric_limits<std::int64_t>::max()}), p.attend({})), 0);
}

TEST(AttentionArguments, TensorsThatDoNotFitAreRefused) {
  const Qkv x = random_qkv(B, 2, T, S, 8);
  const auto refused = [](const at::Tensor& q, const at::Tensor& k, const at::Tensor& v) {
    return error_of(ExitCode::usage, [&] { masked_attention(q, k, v, AttentionMask{}); });
  };
  EXPECT_THAT(refused(x.q[0], x.k, x.v), HasSubstr("double (2, 6, 8)"));
  EXPECT_THAT(refused(x.q.narrow(0, 0, 2), x.k, x.v), HasSubstr("(B, H, T, D)"));
  EXPECT_THAT(refused(x.q, x.k, x.v.narrow(2, 0, 4)), HasSubstr("v double (3, 2, 4, 8)"));
  EXPECT_THAT(refused(x.q, x.k.to(at::kFloat), x.v), HasSubstr("one type"));
  EXPECT_THAT(refused(x.q.to(at::kLong), x.k.to(at::kLong), x.v.to(at::kLong)), HasSubstr("long"));
  EXPECT_THAT(refused(at::Tensor(), x.k, x.v), HasSubstr("q nothing"));
  EXPECT_THAT(refused(x.q, x.k, at::Tensor()), HasSubstr("v nothing"));
}

TEST(AttentionArguments, PackedCallsAreChecked) {
  const at::Tensor q = at::rand({10, 2, 8}), k = at::rand({10, 1, 8});
  const auto refused = [&](const std::vector<AttentionSegment>& segments,
                           const AttentionOptions& options = {}, const at::Tensor& keys = {}) {
    const at::Tensor& used = keys.defined() ? keys : k;
    const std::string of_maps =
        error_of(ExitCode::usage, [&] { attention_maps(q, used, segments, options); });
    const std::string message =
        error_of(ExitCode::usage, [&] { masked_attention(q, used, used, segments, options); });
    EXPECT_EQ(of_maps.empty(), message.empty());
    return message;
  };
  EXPECT_THAT(refused(self_segments({0, 11})), HasSubstr("outside"));
  EXPECT_THAT(refused(self_segments({0, 6, 4})), HasSubstr("outside"));
  constexpr std::int64_t kHuge = std::numeric_limits<std::int64_t>::max();
  EXPECT_THAT(refused({{.q_begin = 5, .q_length = kHuge, .k_length = 10}}), HasSubstr("outside"));
  EXPECT_THAT(
      refused({{.q_length = 6, .k_length = 5}, {.q_begin = 5, .q_length = 5, .k_begin = 5, .k_length = 5}}),
      HasSubstr("share a query"));
  EXPECT_THAT(refused(self_segments({0, 10}), {.dropout = 1.5}), HasSubstr("dropout"));
  EXPECT_THAT(refused(self_segments({0, 10}), {}, at::rand({10, 3, 8})), HasSubstr("multiple"));
  EXPECT_THAT(refused(self_segments({0, 10}), {}, at::rand({10, 1, 4})), HasSubstr("float (10, 1, 4)"));
  EXPECT_THAT(error_of(ExitCode::usage, [] { cross_segments({0, 1}, {0, 1, 2}); }), HasSubstr("2 offsets"));
  EXPECT_THAT(error_of(ExitCode::usage, [] { self_segments({0, 1, 2}, {7}); }), HasSubstr("1 ids"));
}

// Beams of one source share its keys; where their gradient is asked for, two segments would write one row.
TEST(AttentionArguments, SharedKeysAreForPassesWithoutGradient) {
  const at::Tensor q = at::rand({4, 2, 8}), k = at::rand({3, 2, 8});
  const auto segments = cross_segments({0, 2, 4}, {0, 3, 3});
  std::vector<AttentionSegment> shared = segments;
  shared[1].k_begin = 0;
  shared[1].k_length = 3;
  EXPECT_TRUE(masked_attention(q, k, k, shared).defined());
  k.requires_grad_(true);
  EXPECT_THAT(error_of(ExitCode::usage, [&] { masked_attention(q, k, k, shared); }),
              HasSubstr("share a key"));
  EXPECT_TRUE(masked_attention(q, k, k, segments).defined());
}

}  // namespace
}  // namespace mgd
