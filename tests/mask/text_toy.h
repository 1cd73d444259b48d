// A small vocabulary and texts of it, for the tests of text objectives.
#pragma once

#include <ATen/core/Tensor.h>
#include <gtest/gtest.h>

#include <cmath>
#include <numeric>

#include "mgd/mask/objective.h"

namespace mgd::toy {

constexpr std::int64_t kCls = 1, kSep = 2, kMask = 3, kStop = 4, kVocab = 100;

// 1 ... 3 are special, 4 is the full stop; 0 is a word like 5 ... 99.
inline TokenRoles roles() {
  TokenRoles roles{.mask = kMask,
                   .decoder_start = kSep,
                   .special = std::vector<bool>(kVocab),
                   .full_stop = std::vector<bool>(kVocab),
                   .ordinary = {}};
  for (const std::int64_t id : {kCls, kSep, kMask}) roles.special[static_cast<std::size_t>(id)] = true;
  roles.full_stop[kStop] = true;
  for (std::int64_t id = 0; id < kVocab; ++id)
    if (!roles.is_special(id)) roles.ordinary.push_back(id);
  return roles;
}

// [CLS] n words [SEP]; every third token begins a word, so words have 1 or 2 or 3 tokens.
inline TextSequence sequence(std::int64_t n, std::int64_t seed = 0) {
  TextSequence out;
  const auto put = [&](std::int64_t id, bool start) {
    out.ids.push_back(id);
    out.word_start.push_back(start ? 1 : 0);
  };
  put(kCls, true);
  for (std::int64_t i = 0; i < n; ++i) {
    const std::int64_t id = (seed * 31 + i * 7) % 96;
    put(id == 0 ? 0 : id + 4 - (id % 11 == 0 ? id : 0), i == 0 || i % 6 == 0 || i % 6 == 1 || i % 6 == 3);
  }
  put(kSep, true);
  return out;
}

inline TextSample sample(std::int64_t id, std::int64_t n) {
  TextSample out;
  out.id = id;
  out.sequences = {sequence(n, id)};
  out.label = id % 3;
  out.score = static_cast<double>(id) / 2;
  return out;
}

inline std::vector<TextSample> samples(std::int64_t count, std::int64_t n) {
  std::vector<TextSample> all;
  for (std::int64_t i = 0; i < count; ++i) all.push_back(sample(i, n));
  return all;
}

inline std::vector<std::int64_t> values(const at::Tensor& tensor) {
  const auto* data = tensor.const_data_ptr<std::int64_t>();
  return {data, data + tensor.numel()};
}

// Rows that are targets, written out.
inline std::vector<std::int64_t> rows_of(const Batch& batch) {
  if (batch.target_rows.defined()) return values(batch.target_rows);
  std::vector<std::int64_t> all(static_cast<std::size_t>(batch.target.numel()));
  std::iota(all.begin(), all.end(), 0);
  return all;
}

// A count of n independent events within five standard deviations: fails once in a million runs of a test
// that is not deterministic, and these are.
inline void expect_binomial(std::int64_t count, std::int64_t n, double p) {
  const double expected = p * static_cast<double>(n);
  EXPECT_NEAR(static_cast<double>(count), expected, 5 * std::sqrt(expected * (1 - p)) + 1e-9) << "of " << n;
}

}  // namespace mgd::toy
