// The numbered lines of the mask contract that attention has to keep (docs/masks.md), on the reference
// (double) and on the production path (float and bfloat16).
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/full.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/tril.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <gtest/gtest.h>

#include <limits>

#include "mgd/core/philox.h"
#include "ops/attention_support.h"

namespace mgd {
namespace {

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();
const AttentionMask kCausal{.causal = true};
const auto kLong = at::TensorOptions().dtype(at::kLong);

struct NamedMask {
  const char* name;
  AttentionMask mask;
};

// A spread of masks for a batch of 3 with T = S.
std::vector<NamedMask> masks_for(std::int64_t n) {
  const auto half = (n + 1) / 2;
  const at::Tensor lengths = key_keep_from_lengths({n, half, n > 1 ? 1 : n}, n);
  const at::Tensor documents =
      at::arange(n, kLong).div(std::max<std::int64_t>(n / 3, 1), "floor").expand({3, n});
  RandomStream random(random_key(5, "extra"), 0, static_cast<std::uint64_t>(n));
  at::Tensor extra = at::zeros({3, n, n}, at::TensorOptions().dtype(at::kBool));
  bool* bits = extra.mutable_data_ptr<bool>();
  for (std::int64_t i = 0; i < extra.numel(); ++i) bits[i] = random.uniform() < 0.6;
  return {{"none", {}},
          {"causal", {.causal = true}},
          {"padding", {.key_keep = lengths}},
          {"causal and padding", {.causal = true, .key_keep = lengths}},
          {"window", {.window = 3}},
          {"causal window", {.causal = true, .window = 5}},
          {"documents", {.causal = true, .q_documents = documents, .key_documents = documents}},
          {"documents in pieces", {.q_documents = documents % 2, .key_documents = documents % 2}},
          {"extra", {.key_keep = lengths, .extra = extra}}};
}

void compare_all(std::int64_t heads, std::int64_t kv_heads, std::int64_t n, std::int64_t dim) {
  const Qkv x = random_qkv(3, heads, n, n, dim, kv_heads);
  const at::Tensor weights = random_qkv(3, heads, n, n, dim, 0, 2).q;
  ErrorRule single, half;
  for (const auto& [name, mask] : masks_for(n)) {
    SCOPED_TRACE(std::string(name) + ", length " + std::to_string(n) + ", width " + std::to_string(dim));
    const at::Tensor keep = keep_matrix(mask, 3, n, n);
    const auto naive = [&](const Qkv& y) { return naive_attention(y, keep); };
    const auto ours = [&mask = mask](const Qkv& y) { return masked_attention(y.q, y.k, y.v, mask); };
    const Answers exact = answers_of(x, weights, naive), wide = answers_of(x, weights, ours);
    EXPECT_LT(worst(wide.out, exact.out), 1e-13);
    EXPECT_LT(worst(wide.dq, exact.dq), 1e-13);
    EXPECT_LT(worst(wide.dk, exact.dk), 1e-13);
    EXPECT_LT(worst(wide.dv, exact.dv), 1e-13);
    for (const auto type : {at::kFloat, at::kBFloat16})
      (type == at::kFloat ? single : half)
          .add(answers_of(x.to(type), weights, ours), answers_of(x.to(type), weights, naive), exact);
  }
  SCOPED_TRACE("length " + std::to_string(n) + ", width " + std::to_string(dim));
  single.check();
  half.check();
}

TEST(MaskContract, Line01_KeepIsTheProductOfItsParts) {
  compare_all(2, 2, 17, 16);
  compare_all(4, 2, 65, 32);
  compare_all(2, 1, 33, 64);
  compare_all(1, 1, 50, 128);
  compare_all(1, 1, 20, 40);
}

TEST(MaskContract, Line01_LongSequences) {
  const std::int64_t n = 1024;
  const Qkv x = random_qkv(1, 1, n, n, 64);
  const at::Tensor weights = random_qkv(1, 1, n, n, 64, 0, 2).q;
  const at::Tensor causal = at::tril(at::ones({n, n}, at::TensorOptions().dtype(at::kBool))).unsqueeze(0);
  const auto naive = [&](const Qkv& y) { return naive_attention(y, causal); };
  const Answers exact = answers_of(x, weights, naive);
  for (const auto type : {at::kFloat, at::kBFloat16}) {
    ErrorRule rule;
    rule.add(answers_of(x.to(type), weights,
                        [&](const Qkv& y) { return masked_attention(y.q, y.k, y.v, kCausal); }),
             answers_of(x.to(type), weights, naive), exact);
    rule.check();
  }
}

TEST(MaskContract, Line02_CausalIsBottomRightAligned) {
  const at::Tensor keep = keep_matrix({.causal = true}, 1, 2, 5)[0];
  const at::Tensor expected =
      at::tensor({1, 1, 1, 1, 0, 1, 1, 1, 1, 1}, at::TensorOptions().dtype(at::kInt)).view({2, 5}) != 0;
  EXPECT_TRUE(keep.equal(expected));
  // One step with a cache equals the last row of the whole.
  for (const auto type : {at::kDouble, at::kFloat}) {
    const Qkv x = random_qkv(2, 2, 9, 9, 16).to(type);
    const at::Tensor whole = masked_attention(x.q, x.k, x.v, kCausal);
    const at::Tensor last = masked_attention(x.q.narrow(2, 8, 1), x.k, x.v, kCausal);
    EXPECT_LT(worst(last, whole.narrow(2, 8, 1)), 1e-6);
  }
}

TEST(MaskContract, Line03_FourWaysToSayPaddingAgree) {
  const at::Tensor ids = at::tensor({4, 0, 9, 1, 1, 3, 1, 1, 1, 1}, kLong).view({2, 5});  // pad id 1
  const at::Tensor from_ids = key_keep_from_pad_ids(ids, 1), from_lengths = key_keep_from_lengths({3, 1}, 5);
  const at::Tensor from_matrix = key_keep_from_matrix(
      at::tensor({1, 1, 1, 0, 0, 1, 0, 0, 0, 0}, at::TensorOptions().dtype(at::kInt)).view({2, 5}));
  at::Tensor vectors =
      at::full({2, 5, 4}, 1e-30, at::TensorOptions().dtype(at::kFloat));  // squares underflow to 0
  vectors.masked_fill_(from_lengths.logical_not().unsqueeze(-1), 0);
  EXPECT_TRUE(from_ids.equal(from_lengths));
  EXPECT_TRUE(from_matrix.equal(from_lengths));
  EXPECT_TRUE(key_keep_from_zero_vectors(vectors).equal(from_lengths));
}

TEST(MaskContract, Line04_TheWindowLooksBothWaysOrBack) {
  const at::Tensor both = keep_matrix({.window = 1}, 1, 4, 4)[0],
                   back = keep_matrix({.causal = true, .window = 1}, 1, 4, 4)[0];
  const at::Tensor i = at::arange(4, kLong).unsqueeze(1), j = at::arange(4, kLong).unsqueeze(0);
  EXPECT_TRUE(both.equal((i - j).abs() <= 1));
  EXPECT_TRUE(back.equal((i - j >= 0) & (i - j <= 1)));
}

TEST(MaskContract, Line05_PackedDocumentsDoNotSeeEachOther) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Qkv a = random_qkv(1, 2, 7, 7, 16, 0, 1).to(type), b = random_qkv(1, 2, 70, 70, 16, 0, 2).to(type);
    const auto rows = [](const at::Tensor& x, const at::Tensor& y) {  // (H, T, D) twice -> (N, H, D)
      return at::cat({x[0], y[0]}, 1).transpose(0, 1);
    };
    const at::Tensor packed = masked_attention(rows(a.q, b.q), rows(a.k, b.k), rows(a.v, b.v),
                                               self_segments({0, 7, 77}), {.causal = true});
    const at::Tensor alone =
        rows(masked_attention(a.q, a.k, a.v, kCausal), masked_attention(b.q, b.k, b.v, kCausal));
    EXPECT_EQ(worst(packed, alone), 0);
  }
}

TEST(MaskContract, Line06_AQueryThatSeesNothingGivesZero) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Qkv x = random_qkv(2, 2, 50, 50, 16).to(type);
    AttentionMask mask{.key_keep = key_keep_from_lengths({0, 50}, 50)};
    mask.extra = at::ones({1, 50, 50}, at::TensorOptions().dtype(at::kBool));
    mask.extra[0][49].fill_(false);
    const Answers got = answers_of(x, at::ones_like(x.q),
                                   [&](const Qkv& y) { return masked_attention(y.q, y.k, y.v, mask); });
    EXPECT_EQ(got.out[0].abs().max().item<double>(), 0);
    EXPECT_EQ(got.out[1].select(1, 49).abs().max().item<double>(), 0);
    EXPECT_EQ(got.dq[0].abs().max().item<double>(), 0);
    EXPECT_EQ(got.dk[0].abs().max().item<double>(), 0);
    EXPECT_EQ(got.dv[0].abs().max().item<double>(), 0);
    EXPECT_EQ(got.dq[1].select(1, 49).abs().max().item<double>(), 0);
    EXPECT_GT(got.dv[1].abs().max().item<double>(), 0);
  }
}

TEST(MaskContract, Line07_NanInHiddenPlacesStaysThere) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16})
    for (const auto& [name, mask] : masks_for(70)) {
      SCOPED_TRACE(std::string(name) + " " + c10::toString(type));
      const Qkv clean = random_qkv(3, 2, 70, 70, 32).to(type);
      // Hidden from every query of its sequence.
      const at::Tensor hidden = keep_matrix(mask, 3, 70, 70).any(1).logical_not();  // (B, S)
      Qkv dirty{clean.q, clean.k.clone(), clean.v.clone()};
      dirty.k.masked_fill_(hidden.view({3, 1, 70, 1}), kNan);
      dirty.v.masked_fill_(hidden.view({3, 1, 70, 1}), kNan);
      const auto attend = [&mask = mask](const Qkv& y) { return masked_attention(y.q, y.k, y.v, mask); };
      const Answers a = answers_of(clean, at::ones_like(clean.q), attend),
                    b = answers_of(dirty, at::ones_like(clean.q), attend);
      EXPECT_EQ(worst(a.out, b.out), 0);
      EXPECT_EQ(worst(a.dq, b.dq), 0);
      EXPECT_EQ(worst(a.dk, b.dk), 0);
      EXPECT_EQ(worst(a.dv, b.dv), 0);
    }
}

TEST(MaskContract, Line07_NanStaysWithTheQueriesThatSeeIt) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    Qkv x = random_qkv(1, 1, 70, 70, 16).to(type);
    x.k.select(2, 40).fill_(kNan);
    x.v.select(2, 40).fill_(kNan);
    const at::Tensor out = masked_attention(x.q, x.k, x.v, kCausal);
    EXPECT_FALSE(out.narrow(2, 0, 40).isnan().any().item<bool>());
    EXPECT_TRUE(out.narrow(2, 40, 30).isnan().all().item<bool>());
  }
}

TEST(MaskContract, Line08_PaddingPackingAndOrderDoNotMatter) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Qkv x = random_qkv(1, 2, 11, 11, 16).to(type);
    const at::Tensor plain = masked_attention(x.q, x.k, x.v, AttentionMask{});
    for (const std::int64_t pad : {1, 60, 200}) {
      const auto padded = [&](const at::Tensor& t) {
        return at::cat({t, at::full({1, 2, pad, 16}, 3, t.options())}, 2);
      };
      const at::Tensor out =
          masked_attention(padded(x.q), padded(x.k), padded(x.v),
                           AttentionMask{.key_keep = key_keep_from_lengths({11}, 11 + pad)});
      EXPECT_EQ(worst(out.narrow(2, 0, 11), plain), 0);
    }
    const Qkv batch = random_qkv(3, 2, 11, 11, 16, 0, 9).to(type);
    const at::Tensor order = at::tensor({2, 0, 1}, kLong);
    const at::Tensor before = masked_attention(batch.q, batch.k, batch.v, kCausal);
    const at::Tensor after = masked_attention(batch.q.index_select(0, order), batch.k.index_select(0, order),
                                              batch.v.index_select(0, order), kCausal);
    EXPECT_EQ(worst(after, before.index_select(0, order)), 0);
  }
}

TEST(MaskContract, Line09_DropoutIsReproducibleAcrossThreads) {
  const Qkv x = random_qkv(3, 2, 65, 65, 16);
  const AttentionOptions options{.dropout = 0.4, .dropout_key = 77};
  const auto attend = [&](const Qkv& y) { return masked_attention(y.q, y.k, y.v, kCausal, options); };
  const int threads = at::get_num_threads();
  at::set_num_threads(1);
  const Answers exact = answers_of(x, at::ones_like(x.q), attend);
  const Answers one = answers_of(x.to(at::kFloat), at::ones_like(x.q), attend);
  at::set_num_threads(3);
  const Answers three = answers_of(x.to(at::kFloat), at::ones_like(x.q), attend);
  at::set_num_threads(threads);
  EXPECT_EQ(worst(one.out, three.out), 0);
  EXPECT_EQ(worst(one.dk, three.dk), 0);
  // The reference drops the same entries.
  EXPECT_LT(worst(one.out, exact.out), 1e-5);
  EXPECT_LT(worst(one.dq, exact.dq), 1e-5);
  EXPECT_LT(worst(one.dv, exact.dv), 1e-5);
  const at::Tensor other = masked_attention(x.q, x.k, x.v, kCausal, {.dropout = 0.4, .dropout_key = 78});
  EXPECT_GT(worst(other, exact.out), 0.1);
  // In the mean over keys of randomness nothing changes.
  at::Tensor mean = at::zeros_like(x.q);
  constexpr int kDraws = 400;
  for (int i = 0; i < kDraws; ++i)
    mean += masked_attention(x.q, x.k, x.v, kCausal,
                             {.dropout = 0.4, .dropout_key = static_cast<std::uint64_t>(i)}) /
            kDraws;
  const at::Tensor plain = masked_attention(x.q, x.k, x.v, kCausal);
  EXPECT_LT((mean - plain).abs().mean().item<double>(), 0.06);
}

// What is left out and what is computed and masked differ by rounding alone, dropout included.
TEST(MaskContract, Line09_SkippingChangesNothing) {
  for (const double dropout : {0.0, 0.4})
    for (const AttentionOptions& mask :
         {AttentionOptions{}, AttentionOptions{.causal = true}, AttentionOptions{.window = 5}}) {
      AttentionOptions options = mask;
      options.dropout = dropout;
      options.dropout_key = 77;
      const Qkv padded = random_qkv(1, 4, 141, 141, 16, /*kv_heads=*/2);
      // Ragged, one of them empty, and two rows in none.
      const auto segments = self_segments({0, 65, 65, 66, 139}, {9, 4, 7, 2});
      const auto attend = [&](const Qkv& y) {
        const auto rows = [](const at::Tensor& t) { return t.squeeze(0).transpose(0, 1); };
        return masked_attention(rows(y.q), rows(y.k), rows(y.v), segments, options);
      };
      const at::Tensor weights = random_qkv(1, 141, 4, 4, 16, 0, 2).q.squeeze(0);
      const Answers skipped = answers_of(padded, weights, attend);
      options.skip = false;
      const Answers plain = answers_of(padded, weights, attend);
      EXPECT_LT(worst(skipped.out, plain.out), 1e-6);  // the factor of dropout is a float
      EXPECT_LT(worst(skipped.dq, plain.dq), 1e-6);
      EXPECT_LT(worst(skipped.dk, plain.dk), 1e-6);
      EXPECT_LT(worst(skipped.dv, plain.dv), 1e-6);
      EXPECT_GT(plain.out.abs().max().item<double>(), 0.1);
    }
}

TEST(MaskContract, Line10_LeftAndRightPaddingGiveTheSame) {
  for (const auto type : {at::kDouble, at::kFloat, at::kBFloat16}) {
    const Qkv x = random_qkv(1, 2, 9, 9, 16).to(type);
    const auto left = [](const at::Tensor& t) {
      return at::cat({at::full({1, 2, 6, 16}, 2, t.options()), t}, 2);
    };
    const auto right = [](const at::Tensor& t) {
      return at::cat({t, at::full({1, 2, 6, 16}, 2, t.options())}, 2);
    };
    const at::Tensor ones = at::ones({1, 9}, kLong), zeros = at::zeros({1, 6}, kLong);
    const at::Tensor a =
        masked_attention(left(x.q), left(x.k), left(x.v),
                         {.causal = true, .key_keep = key_keep_from_matrix(at::cat({zeros, ones}, 1))});
    const at::Tensor b =
        masked_attention(right(x.q), right(x.k), right(x.v),
                         {.causal = true, .key_keep = key_keep_from_matrix(at::cat({ones, zeros}, 1))});
    EXPECT_EQ(worst(a.narrow(2, 6, 9), b.narrow(2, 0, 9)), 0);
  }
}

TEST(Importers, OtherLibrariesMasksBecomeKeep) {
  const at::Tensor keep = at::tensor({1, 0, 1, 1}, at::TensorOptions().dtype(at::kInt)) != 0;
  EXPECT_TRUE(keep_from_ignore_mask(keep.logical_not()).equal(keep));
  at::Tensor additive = at::zeros({4});
  additive[1] = -std::numeric_limits<float>::infinity();
  EXPECT_TRUE(keep_from_additive_mask(additive).equal(keep));
  additive[1] = -65504.0F;
  EXPECT_TRUE(keep_from_additive_mask(additive).equal(keep));
  additive[1] = -1.5F;
  EXPECT_THROW(keep_from_additive_mask(additive), std::runtime_error);
}

TEST(AttentionMaps, RowsAreProbabilitiesAndHiddenEntriesZero) {
  const Qkv x = random_qkv(1, 2, 6, 6, 16).to(at::kFloat);
  const auto rows = [](const at::Tensor& t) { return t[0].transpose(0, 1); };
  const auto maps = attention_maps(rows(x.q), rows(x.k), self_segments({0, 2, 6}), {.causal = true});
  ASSERT_EQ(maps.size(), 2U);
  EXPECT_EQ(maps[1].sizes(), at::IntArrayRef({2, 4, 4}));
  EXPECT_LT(worst(maps[1].sum(-1), at::ones({2, 4})), 1e-6);
  EXPECT_EQ(maps[1].triu(1).abs().max().item<double>(), 0);
  // Maps times values are the attention.
  const at::Tensor out =
      masked_attention(rows(x.q), rows(x.k), rows(x.v), self_segments({0, 2, 6}), {.causal = true});
  const at::Tensor by_maps = at::matmul(maps[1], rows(x.v).narrow(0, 2, 4).transpose(0, 1)).transpose(0, 1);
  EXPECT_LT(worst(out.narrow(0, 2, 4), by_maps), 1e-6);
}

}  // namespace
}  // namespace mgd
