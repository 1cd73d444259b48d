#include "mgd/eval/unigram.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace mgd {
namespace {

TEST(Unigram, IsLaplacesRule) {
  UnigramModel model(4);
  model.count(std::vector<std::int64_t>{0, 1, 1});
  model.count(std::vector<std::int64_t>{1, 0});
  // 5 tokens counted, 4 in the vocabulary: (2 + 1) / 9, (3 + 1) / 9, 1 / 9, 1 / 9.
  EXPECT_DOUBLE_EQ(model.nats(0), std::log(9.0 / 3));
  EXPECT_DOUBLE_EQ(model.nats(1), std::log(9.0 / 4));
  EXPECT_DOUBLE_EQ(model.nats(3), std::log(9.0));
  double all = 0;
  for (std::int64_t id = 0; id < 4; ++id) all += std::exp(-model.nats(id));
  EXPECT_NEAR(all, 1, 1e-12);
  EXPECT_DOUBLE_EQ(model.mean_nats(std::vector<std::int64_t>{1, 3}), (std::log(9.0 / 4) + std::log(9.0)) / 2);
}

TEST(Unigram, WithoutCountsEveryTokenIsAsLikely) {
  EXPECT_DOUBLE_EQ(UnigramModel(8).nats(5), std::log(8.0));
  EXPECT_EQ(UnigramModel(8).mean_nats({}), 0);
}

TEST(Unigram, RefusesIdsOutsideTheVocabulary) {
  UnigramModel model(2);
  EXPECT_THROW(model.count(std::vector<std::int64_t>{2}), std::logic_error);
  EXPECT_THROW(model.nats(2), std::out_of_range);
}

}  // namespace
}  // namespace mgd
