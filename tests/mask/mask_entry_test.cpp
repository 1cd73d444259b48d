#include "mgd/mask/mask_entry.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

std::string refusal(const std::string& yaml, Axes axes) {
  const Node entry = parse_yaml(yaml, "recipe.yaml");
  MaskOptions options;
  read_options(entry, options, "masks.0");
  try {
    check_mask(entry, "masks.0", options, axes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::usage);
    return error.what();
  }
  return "nothing";
}

// What check_mask lets through can be drawn, and what it refuses cannot.
TEST(MaskEntry, FitsWhereItsSamplerDraws) {
  const std::vector<std::int64_t> offsets{0, 3, 5}, ids{1, 2};
  for (const std::string& name : known_samplers()) {
    MaskOptions options;
    options.mask = name;
    const auto sampler = make_sampler(options);
    const auto draws = [&](Axes axes) {
      try {
        const MaskDraw draw{.key = {}, .sample_ids = ids};
        if (axes == Axes::rows)
          sampler->sample_rows({.width = 4, .offsets = offsets}, 0.5, draw);
        else
          sampler->sample({2, 4, 4}, 0.5, draw);
        return true;
      } catch (const Error&) {
        return false;
      }
    };
    for (const Axes axes : {Axes::map, Axes::rows})
      EXPECT_EQ(refusal("{mask: " + name + "}", axes) == "nothing", draws(axes)) << name << axes_name(axes);
  }
}

TEST(MaskEntry, RefusesWhatTheNodeHasNotWithWhatItHas) {
  EXPECT_EQ(
      refusal("{mask: spatial}", Axes::rows),
      "recipe.yaml:1:8: masks.0: mask: got 'spatial', and the node has rows (H), expected one of channel, "
      "element, token, block");
  EXPECT_THAT(refusal("{mask: token}", Axes::map),
              testing::HasSubstr("expected one of channel, spatial, element, block, student, teacher"));
}

TEST(MaskEntry, RefusesASizeThatNothingHas) {
  EXPECT_THAT(
      refusal("{mask: spatial, size: 2}", Axes::map),
      testing::HasSubstr("recipe.yaml:1:23: masks.0: size: got 2, which changes nothing: it is the edge of a "
                         "block, and mask: spatial has none"));
  EXPECT_EQ(refusal("{mask: block, size: 2}", Axes::map), "nothing");
  EXPECT_EQ(refusal("{mask: block, size: 2}", Axes::rows), "nothing");
  EXPECT_EQ(refusal("{mask: channel, size: 4}", Axes::map), "nothing");
}

}  // namespace
}  // namespace mgd
