// Pictures of which nobody says what they show.
#include <set>

#include "data/toy.h"
#include "mgd/core/file.h"
#include "mgd/data/source_lines.h"

namespace mgd {
namespace {

using testing::HasSubstr;

std::string picture(int value) {
  return encode_png({4, 4, 3, std::vector<std::uint8_t>(48, static_cast<std::uint8_t>(value))});
}

void fill(const TempFolder& temp, const std::string& prefix, int count = 20) {
  for (int i = 0; i < count; ++i)
    write_file_atomic(temp.file(fmt::format("{}{:02}.png", prefix, i)), picture(i));
}

DataConfig config_of(const std::string& path, const std::string& labels = "auto") {
  DataConfig config;
  config.path = path;
  config.labels = labels;
  return config;
}

std::set<std::string> names_of(const ImageSource& source) {
  std::set<std::string> names;
  for (std::int64_t i = 0; i < source.size(); ++i) names.insert(source.name(i));
  return names;
}

void expect_no_labels(const ImageSource& source) {
  EXPECT_TRUE(source.class_names().empty());
  for (std::int64_t i = 0; i < source.size(); ++i) EXPECT_EQ(source.label(i), -1);
}

TEST(Unlabelled, PicturesRightInTheFolderAreTaken) {
  const TempFolder temp;
  fill(temp, "");
  write_file_atomic(temp.file("readme.txt"), "hello");
  const OpenedSplits splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->size(), 18);
  EXPECT_EQ(splits.validation->size(), 2);
  EXPECT_EQ(splits.test, nullptr) << "nobody set one apart";
  expect_no_labels(*splits.train);
  expect_no_labels(*splits.validation);
  EXPECT_EQ(splits.train->unused_files(), (std::map<std::string, std::int64_t>{{".txt", 1}}));
  EXPECT_EQ(splits.train->image(0).pixels.size(), 48U);
}

TEST(Unlabelled, AMeasureOfAFlatFolderIsRefusedWithTheWayOut) {
  const TempFolder temp;
  fill(temp, "");
  expect_error([&] { open_images(config_of(temp.path()), Split::test); }, ExitCode::bad_data,
               {"pictures lie right in the folder", "data.labels=none"});
}

TEST(Unlabelled, FoldersOfAnyDepthAreTakenWhenAskedFor) {
  const TempFolder temp;
  fill(temp, "a/b/", 10);
  fill(temp, "c/", 10);
  EXPECT_EQ(open_splits(config_of(temp.path())).train->class_names().size(), 2U) << "not asked for: classes";
  const OpenedSplits splits = open_splits(config_of(temp.path(), "none"));
  EXPECT_EQ(splits.train->size() + splits.validation->size(), 20);
  expect_no_labels(*splits.train);
}

TEST(Unlabelled, FoldersOfSplitsAreThePartsWhereTheyAreThere) {
  const TempFolder temp;
  fill(temp, "top/train/x/", 6);
  fill(temp, "top/train/", 6);
  fill(temp, "top/test/y/", 3);
  fill(temp, "top/val/", 2);
  fill(temp, "top/extra/", 5);
  const OpenedSplits splits = open_splits(config_of(temp.path(), "none"));
  EXPECT_EQ(splits.train->size(), 12);
  EXPECT_EQ(splits.validation->size(), 2);
  ASSERT_NE(splits.test, nullptr);
  EXPECT_EQ(splits.test->size(), 3);
  EXPECT_EQ(splits.train->unused_files(), (std::map<std::string, std::int64_t>{{"pictures in 'extra'", 5}}));
  DataConfig wrong = config_of(temp.path(), "none");
  wrong.train = "trian";
  expect_error([&] { open_splits(wrong); }, ExitCode::missing_input, {"no split 'trian'", "train"});
}

TEST(Unlabelled, WithoutATrainFolderTheOtherPartsDoNotGetIntoTraining) {
  const TempFolder temp;
  fill(temp, "a/", 10);
  fill(temp, "b/", 10);
  fill(temp, "test/", 4);
  const OpenedSplits splits = open_splits(config_of(temp.path(), "none"));
  EXPECT_EQ(splits.train->size(), 18);
  EXPECT_EQ(splits.test->size(), 4);
  for (const std::string& name : names_of(*splits.train)) EXPECT_FALSE(name.starts_with("test/")) << name;
}

// Names in turns: every fifth is of one kind, and so would be every tenth.
TEST(Unlabelled, WhatIsHeldOutIsOfAllKinds) {
  const TempFolder temp;
  for (int i = 0; i < 200; ++i)
    write_file_atomic(temp.file(fmt::format("{:03}-kind{}.png", i, i % 5)), picture(i % 5));
  const OpenedSplits splits = open_splits(config_of(temp.path()));
  std::set<std::string> kinds;
  for (const std::string& name : names_of(*splits.validation)) kinds.insert(name.substr(4));
  EXPECT_EQ(splits.validation->size(), 20);
  EXPECT_EQ(kinds.size(), 5U);
  for (const std::string& name : names_of(*splits.validation))
    EXPECT_FALSE(names_of(*splits.train).contains(name));
  EXPECT_EQ(names_of(*splits.validation), names_of(*open_splits(config_of(temp.path())).validation));
}

TEST(Unlabelled, LabelsOfAnyFormatCanBeForgotten) {
  const TempFolder temp;
  std::string rows = "label";
  for (int i = 0; i < 4; ++i) rows += fmt::format(",p{}", i);
  for (int i = 0; i < 40; ++i) rows += fmt::format("\n{},{},2,3,4", i % 2, i);
  write_file_atomic(temp.file("d.csv"), rows + "\n");
  EXPECT_EQ(open_splits(config_of(temp.file("d.csv"))).train->class_names().size(), 2U);
  expect_no_labels(*open_splits(config_of(temp.file("d.csv"), "none")).train);
}

TEST(Unlabelled, AListNamesPicturesWhereverTheyLie) {
  const TempFolder temp;
  fill(temp, "deep/er/", 10);
  std::string list;
  for (int i = 0; i < 8; ++i) list += fmt::format("../deep/er/{:02}.png\r\n{}", i, i == 3 ? "\n" : "");
  write_file_atomic(temp.file("lists/some"), list);
  const OpenedSplits splits = open_splits(config_of(temp.file("lists/some")));
  EXPECT_EQ(splits.train->size() + (splits.validation ? splits.validation->size() : 0), 8);
  expect_no_labels(*splits.train);
  EXPECT_EQ(splits.train->image(1).pixels[0], 1);

  write_file_atomic(temp.file("lists/twice"), "../deep/er/00.png\n../deep/er/01.png\n../deep/er/00.png\n");
  expect_error([&] { open_splits(config_of(temp.file("lists/twice"))); }, ExitCode::bad_data,
               {"twice:3", "00.png", "line 1"});
  write_file_atomic(temp.file("lists/gone"), "../deep/er/00.png\n../deep/er/77.png\n");
  expect_error([&] { open_splits(config_of(temp.file("lists/gone"))); }, ExitCode::missing_input,
               {"gone:2", "77.png"});
  write_file_atomic(temp.file("lists/text"), "../deep/er/00.png\nnotes.txt\n");
  expect_error([&] { open_splits(config_of(temp.file("lists/text"))); }, ExitCode::bad_data,
               {"text:2", "notes.txt", "names no picture"});
}

TEST(Unlabelled, WhatIsCountedByClassIsRefused) {
  const TempFolder temp;
  fill(temp, "");
  DataConfig config = config_of(temp.path());
  config.per_class = 3;
  expect_error([&] { open_splits(config); }, ExitCode::usage, {"data.per_class", "no labels"});
}

DataConfig with_classes(const TempFolder& temp) {
  for (int c = 0; c < 2; ++c)
    for (int i = 0; i < 10; ++i)
      for (const char* part : {"train", "test"})
        write_file_atomic(temp.file(fmt::format("{}/{}/{}.png", part, c == 0 ? "dark" : "light", i)),
                          picture(100 * c + 10 * (part[1] == 'e' ? 5 : 0) + i));
  DataConfig config = config_of(temp.path());
  config.per_class = 3;
  return config;
}

TEST(Unlabelled, MorePicturesStandBehindTheLabelledOnes) {
  const TempFolder temp, more;
  DataConfig config = with_classes(temp);
  fill(more, "train/cat/");
  fill(more, "test/");
  write_file_atomic(more.file("notes.txt"), "hello");
  config.unlabelled = more.path();
  const OpenedSplits splits = open_splits(config);
  const ImageSource& train = *splits.train;
  // Of the 20, those with the values 1 to 9 ... are in data.path: dark ones of train and of validation.
  EXPECT_EQ(train.class_names(), (std::vector<std::string>{"dark", "light"}));
  std::int64_t labelled = 0, without = 0;
  for (std::int64_t i = 0; i < train.size(); ++i) {
    ++(train.label(i) >= 0 ? labelled : without);
    if (train.label(i) < 0) {
      EXPECT_TRUE(train.name(i).starts_with("train/cat/")) << train.name(i);
    }
    EXPECT_EQ(train.image(i).pixels.size(), 48U);
  }
  EXPECT_EQ(labelled, 6);
  EXPECT_EQ(without, 20 - 4) << "three in train, and one held out, are the same pictures";
  EXPECT_EQ(splits.test->size(), 20);
  EXPECT_EQ(splits.validation->size(), 2);
  EXPECT_THAT(train.notes(), testing::Contains(testing::AllOf(HasSubstr("unlabelled: 4 of 20"),
                                                              HasSubstr("left out"), HasSubstr(".png"))));
  EXPECT_NE(train.fingerprint(), open_splits(with_classes(temp)).train->fingerprint());
}

TEST(Unlabelled, TheSameFolderGivesWhatHasNoLabelInIt) {
  const TempFolder temp;
  DataConfig config = with_classes(temp);
  config.unlabelled = config.path;
  const OpenedSplits splits = open_splits(config);
  EXPECT_EQ(splits.train->size(), 20 - 2) << "what is held out stays out";
  std::set<std::string> names = names_of(*splits.train);
  EXPECT_EQ(names.size(), 18U) << "each once";
}

TEST(Unlabelled, MorePicturesThanThereAre) {
  const TempFolder temp;
  DataConfig config = with_classes(temp);
  config.per_class = 0;
  config.unlabelled = config.path;
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"data.unlabelled", "already"});
  config.unlabelled = temp.file("nowhere");
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"nowhere"});
}

}  // namespace
}  // namespace mgd
