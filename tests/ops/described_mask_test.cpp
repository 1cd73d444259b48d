#include "mgd/ops/described_mask.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;

std::string drawn(const char* words, std::int64_t sequence = 0) {
  const DescribedMask d = described_mask(words);
  return draw_keep(keep_matrix(d.mask, d.batch, d.queries, d.keys)[sequence]);
}

TEST(DescribedMask, WordsAddUp) {
  EXPECT_EQ(drawn("causal,keys=3"), "1 0 0\n1 1 0\n1 1 1\n");
  EXPECT_EQ(drawn("causal,keys=4,queries=2"), "1 1 1 0\n1 1 1 1\n");
  EXPECT_EQ(drawn("keys=3,window=1"), "1 1 0\n1 1 1\n0 1 1\n");
  EXPECT_EQ(drawn("window=1,causal,lengths=1:3", 0), "1 0 0\n1 0 0\n0 0 0\n");
  EXPECT_EQ(drawn("window=1,causal,lengths=1:3", 1), "1 0 0\n1 1 0\n0 1 1\n");
  EXPECT_EQ(drawn("documents=1:2"), "1 0 0\n0 1 1\n0 1 1\n");
  EXPECT_EQ(drawn("documents=1:2,causal,queries=1"), "0 1 1\n");
  EXPECT_EQ(drawn("lengths=0"), "0\n");
  EXPECT_EQ(described_mask("causal").keys, 8);
  EXPECT_EQ(described_mask("lengths=2:3,keys=5").keys, 5);
}

TEST(DescribedMask, WrongWordsAreNamed) {
  for (const auto& [words, message] : {std::pair{"casual", "got 'casual'; did you mean 'causal'?"},
                                       {"", "got ''"},
                                       {"window", "window lacks its value; write window=4"},
                                       {"causal=1", "causal takes no value"},
                                       {"window=-1", "window: got '-1', expected a whole number from 0"},
                                       {"lengths=3:x", "lengths: got 'x'"},
                                       {"keys=99999", "keys: got '99999'"},
                                       {"lengths=5,keys=4", "got 5, expected 0 to the 4 keys"},
                                       {"documents=2:2,keys=5", "got 5, but the documents have 4 tokens"},
                                       {"documents=2,lengths=2", "leave out lengths"},
                                       {"documents=2,queries=3", "leave out queries"}}) {
    try {
      described_mask(words);
      ADD_FAILURE() << words;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::usage);
      EXPECT_THAT(error.what(), HasSubstr(message));
    }
  }
}

TEST(DescribedMask, APictureHasACellForEachPlace) {
  const DescribedMask d = described_mask("causal,lengths=1:2");
  const Image image = picture_of_keep(keep_matrix(d.mask, d.batch, d.queries, d.keys), 4);
  EXPECT_EQ(image.width, 2 * 4 + 2 * 2);
  EXPECT_EQ(image.height, 2 * (2 * 4 + 2) + 2);
  EXPECT_LT(image.at(2, 2, 0), 100);       // query 0 sees key 0
  EXPECT_GT(image.at(2, 6, 0), 200);       // and not key 1
  EXPECT_GT(image.at(2 + 4, 6, 0), 200);   // sequence 0 has no second key
  EXPECT_LT(image.at(12 + 4, 6, 0), 100);  // sequence 1 has
  EXPECT_EQ(image.at(0, 0, 0), 255);
}

}  // namespace
}  // namespace mgd
