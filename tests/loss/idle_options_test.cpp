// Options that a form of a loss never reads: what is given in vain is refused, and what is read is not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "loss/rows_case.h"
#include "mgd/core/error.h"

namespace mgd {
namespace {

using namespace test;
using testing::AllOf;
using testing::HasSubstr;

const LossContext kMaps = context_of({3, 4, 4}, {3, 4, 4});

std::string message(const std::string& name, const Fields& fields, const LossContext& context) {
  try {
    make_losses(entry_of(name, fields), context);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "nothing";
}

TEST(IdleLossOptions, RowsHaveNoSizeToBringToAnother) {
  for (const char* name : {"mgd", "mimic", "cosine"}) {
    EXPECT_THAT(message(name, {{"resize", "true"}}, rows_context()),
                HasSubstr("test.yaml:1:2: losses." + std::string(name) +
                          ": resize: got true, which changes nothing: 'feat' has rows"));
    EXPECT_EQ(message(name, {{"resize", "false"}}, rows_context()), "nothing");
    EXPECT_EQ(message(name, {{"resize", "true"}}, kMaps), "nothing")
        << "a map of the same size is brought to it";
  }
}

TEST(IdleLossOptions, OfMgdAreThoseOfTheOtherBlocks) {
  EXPECT_THAT(message("mgd", {{"winograd", "true"}}, rows_context()),
              HasSubstr("test.yaml:1:2: losses.mgd: winograd"));
  EXPECT_EQ(message("mgd", {{"winograd", "true"}}, kMaps), "nothing");
  EXPECT_THAT(
      message("mgd", {{"generator_heads", "2"}}, rows_context()),
      HasSubstr(
          "losses.mgd: generator_heads: got 2, which changes nothing: it goes with generator: transformer"));
  EXPECT_EQ(message("mgd", {{"generator", "transformer"}, {"generator_heads", "3"}}, rows_context()),
            "nothing");
}

// A token stands where something is hidden, and the block reads it like any value.
TEST(IdleLossOptions, WithATokenNothingIsSkipped) {
  const Fields in_vain{{"fill", "token"}, {"skip", "always"}};
  for (const LossContext& context : {kMaps, rows_context()})
    EXPECT_THAT(message("mgd", in_vain, context),
                HasSubstr("test.yaml:1:3: losses.mgd: skip: got always, which changes nothing: fill: token"));
  const Fields hidden{{"fill", "token"}, {"skip", "always"}, {"on", "hidden"}};
  EXPECT_THAT(message("mgd", hidden, kMaps), HasSubstr("skip: got always"));
  EXPECT_EQ(message("mgd", hidden, rows_context()), "nothing") << "rows that nobody compares are not made";
  EXPECT_EQ(message("mgd", {{"fill", "token"}, {"skip", "never"}}, kMaps), "nothing");
}

TEST(IdleLossOptions, OfDivergences) {
  for (const char* divergence : {"forward", "reverse"})
    EXPECT_THAT(message("kd", {{"divergence", divergence}, {"beta", "0.3"}}, kMaps),
                HasSubstr("test.yaml:1:3: losses.kd: beta: got 0.3, which changes nothing: divergence: " +
                          std::string(divergence)));
  EXPECT_EQ(message("kd", {{"divergence", "jsd"}, {"beta", "0.3"}}, kMaps), "nothing");
}

TEST(IdleLossOptions, OfHiddenRowsThatAreNotCompared) {
  for (const auto& [key, value] : {std::pair{"embeddings", "false"}, std::pair{"align", "always"}}) {
    EXPECT_THAT(message("tinybert", {{"hidden_weight", "0"}, {key, value}}, rows_context()),
                AllOf(HasSubstr("test.yaml:1:3"), HasSubstr("hidden_weight: 0 compares no hidden rows")));
    EXPECT_EQ(message("tinybert", {{key, value}}, rows_context()), "nothing");
  }
}

TEST(IdleLossOptions, NothingIsComparedTwiceOrNotAtAll) {
  EXPECT_THAT(message("minilm", {{"relations", "[query,query]"}, {"relation_heads", "2"}}, rows_context()),
              HasSubstr("test.yaml:1:2: losses.minilm: relations: 'query' is there twice"));
  EXPECT_EQ(message("minilm", {{"relations", "[value,query]"}, {"relation_heads", "2"}}, rows_context()),
            "nothing");
  for (const auto& [name, first, second] :
       {std::tuple{"dkd", "alpha", "beta"}, std::tuple{"dist", "beta", "gamma"},
        std::tuple{"rkd", "distance_weight", "angle_weight"}}) {
    EXPECT_THAT(message(name, {{first, "0"}, {second, "0"}}, kMaps),
                HasSubstr(std::string("test.yaml:1:2: losses.") + name + ": " + first + " and " + second +
                          " are both 0: nothing is compared"));
    EXPECT_EQ(message(name, {{first, "0"}}, kMaps), "nothing");
  }
}

}  // namespace
}  // namespace mgd
