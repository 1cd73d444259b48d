#include "mgd/format/idle_options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

struct Cutting {
  std::string how = "saw";
  double teeth = 1.5;
  std::int64_t edge = 4;
  void visit(OptionVisitor& v) {
    v.option("how", how, {});
    v.option("teeth", teeth, {});
    v.option("edge", edge, {});
  }
};

std::string refusal(const std::string& yaml) {
  const Node entry = parse_yaml(yaml, "recipe.yaml");
  Cutting options;
  read_options(entry, options, "tools.0");
  try {
    refuse_idle(entry, "tools.0", options,
                {{"teeth", options.how != "saw", "only a saw has them"},
                 {"edge", options.how == "saw", "a saw has none"}});
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "nothing";
}

TEST(IdleOptions, AreRefusedAtTheirPlaceWithTheReason) {
  EXPECT_EQ(
      refusal("{how: knife, teeth: 2}"),
      "recipe.yaml:1:21: tools.0: teeth: got 2, which changes nothing: only a saw has them; leave it out");
  EXPECT_THAT(refusal("{edge: 8}"), testing::HasSubstr("recipe.yaml:1:8: tools.0: edge: got 8"));
}

// A default is what they have without being given, however it is written: nothing is promised by it.
TEST(IdleOptions, MayBeGivenAsTheyAreAnyway) {
  EXPECT_EQ(refusal("{how: knife, teeth: 1.50, edge: 7}"), "nothing");
  EXPECT_EQ(refusal("{how: saw, teeth: 9, edge: 4}"), "nothing");
  EXPECT_EQ(refusal("{}"), "nothing");
}

}  // namespace
}  // namespace mgd
