#include "mgd/format/class_map.h"

#include <gmock/gmock.h>

#include "expect_error.h"
#include "mgd/format/composed_name.h"

namespace mgd {
namespace {

using Names = std::vector<std::string>;
using Places = std::vector<std::int64_t>;
using ::testing::HasSubstr;

ClassMap matched(const Names& model, const Names& data) {
  return match_classes(model, static_cast<std::int64_t>(model.size()), data);
}

TEST(ClassMap, FindsEveryClassByItsName) {
  const Names data{"blue", "green", "red"};
  EXPECT_EQ(matched(data, data).fit, ClassFit::same);
  EXPECT_FALSE(matched(data, data).changes_order());
  EXPECT_EQ(describe_classes(matched(data, data), data), "");

  const ClassMap other = matched({"green", "blue", "red"}, data);
  EXPECT_EQ(other.fit, ClassFit::order);
  EXPECT_EQ(other.model_class, (Places{1, 0, 2}));
  EXPECT_TRUE(other.changes_order());
  EXPECT_THAT(describe_classes(other, data), HasSubstr("another order"));

  const ClassMap part = matched({"white", "red", "blue", "green", "black"}, data);
  EXPECT_EQ(part.fit, ClassFit::subset);
  EXPECT_EQ(part.model_class, (Places{2, 3, 1}));
  EXPECT_THAT(describe_classes(part, data), HasSubstr("has 5 classes, 3 of them the data's"));
  // The first ones, in the same order: still not the same outputs.
  EXPECT_TRUE(matched({"blue", "green", "red", "white"}, data).changes_order());
}

TEST(ClassMap, AnUnknownNameIsRefusedWithTheNearest) {
  const Names model{"cardboard", "glass", "metal"};
  const ClassMap map = matched(model, {"cardboard", "glas", "metal"});
  EXPECT_EQ(map.fit, ClassFit::overlap);
  EXPECT_FALSE(map.found());
  const std::string message = error_of(ExitCode::usage, [&] {
    refuse_classes(map, "teacher", model, {"cardboard", "glas", "metal"}, "; hint");
  });
  EXPECT_EQ(message,
            "teacher: 1 of the data's 3 classes is not among its 3: 'glas'; did you mean 'glass'?; hint");
  EXPECT_EQ(matched({"a", "b"}, {"c", "d"}).fit, ClassFit::others);
  EXPECT_EQ(matched({"a", "b"}, {"c", "d"}).unknown, (Names{"c", "d"}));
}

TEST(ClassMap, NamesThatAreNumbersOfPlacesAreNone) {
  const ClassMap files = matched({"cat", "dog"}, {"0", "1"});
  EXPECT_EQ(files.fit, ClassFit::unnamed);
  EXPECT_EQ(files.model_class, (Places{0, 1}));
  const ClassMap bare = match_classes({}, 2, {"cat", "dog"});
  EXPECT_EQ(bare.fit, ClassFit::unnamed);
  EXPECT_THAT(describe_classes(bare, {"cat", "dog"}), HasSubstr("in the order of the data's (cat, dog)"));
  EXPECT_EQ(match_classes({}, 1000, {"cat", "dog"}).fit, ClassFit::other_number);
  // But numbers that both sides know are names, whatever their order.
  EXPECT_EQ(matched({"1", "0"}, {"0", "1"}).model_class, (Places{1, 0}));
  EXPECT_EQ(matched({"0", "1", "2"}, {"0", "1"}).fit, ClassFit::subset);
  // Numbers that are not places (years, product codes) are names.
  EXPECT_EQ(matched({"cat", "dog"}, {"7", "8"}).fit, ClassFit::others);
}

TEST(ClassMap, ANameThatTheModelHasTwiceIsRefused) {
  EXPECT_THAT(error_of(ExitCode::usage,
                       [] {
                         matched({"crane", "maillot", "crane"}, {"crane"});
                       }),
              HasSubstr("two classes called 'crane'"));
  EXPECT_EQ(matched({"crane", "maillot", "crane"}, {"maillot"}).fit, ClassFit::subset);
}

// "café" with one character for its last letter, and with two.
TEST(ClassMap, NamesThatLookTheSameAreTheSame) {
  const std::string together = "caf\xC3\xA9", apart = "cafe\xCC\x81";
  EXPECT_EQ(composed_name(apart), together);
  EXPECT_EQ(composed_name(together), together);
  EXPECT_EQ(composed_name("\xE1\x84\x80\xE1\x85\xA1"), "\xEA\xB0\x80") << "Hangul";
  EXPECT_EQ(composed_name("\xE0\xA5\x98"), "\xE0\xA4\x95\xE0\xA4\xBC") << "one that only comes apart";
  for (const std::string as_it_is : {"", "cat", "\xCC", "\xFF\xCC\x81", "e\xCC\x81\xC3"})
    EXPECT_EQ(composed_name(as_it_is), as_it_is);

  EXPECT_EQ(matched({"bar", together}, {"bar", apart}).fit, ClassFit::same);
  EXPECT_EQ(matched({together, "bar"}, {"bar", apart}).model_class, (Places{1, 0}));
  EXPECT_THAT(error_of(ExitCode::usage,
                       [&] {
                         matched({together, apart}, {together});
                       }),
              HasSubstr("two classes called"));
}

}  // namespace
}  // namespace mgd
