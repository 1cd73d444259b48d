// What a folder or archive of pictures means: splits, classes, links, and what is not used.
#include <archive.h>
#include <archive_entry.h>

#include <map>

#include "data/toy.h"
#include "mgd/core/file.h"
#include "mgd/data/source_lines.h"

namespace mgd {
namespace {

namespace fs = std::filesystem;
using testing::Contains;
using testing::HasSubstr;

std::string picture(int value) {
  return encode_png({4, 4, 3, std::vector<std::uint8_t>(48, static_cast<std::uint8_t>(value))});
}

DataConfig config_of(const std::string& path) {
  DataConfig config;
  config.path = path;
  return config;
}

void fill(const TempFolder& temp, const std::string& prefix, int count = 10) {
  for (const char* name : {"cat", "dog"})
    for (int i = 0; i < count; ++i)
      write_file_atomic(temp.file(fmt::format("{}{}/{:02}.png", prefix, name, i)), picture(i));
}

// The files below `folder` with the names that they have there, as an archive.
void pack(const std::string& folder, const std::string& path, bool zipped, int filter = ARCHIVE_FILTER_NONE) {
  ::archive* out = archive_write_new();
  zipped ? archive_write_set_format_zip(out) : archive_write_set_format_pax_restricted(out);
  archive_write_add_filter(out, filter);
  ASSERT_EQ(archive_write_open_filename(out, path.c_str()), ARCHIVE_OK);
  for (const auto& file : fs::recursive_directory_iterator(folder)) {
    if (!file.is_regular_file()) continue;
    const std::string bytes = read_file(file.path());
    ::archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, file.path().lexically_relative(folder).c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_perm(entry, 0644);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_write_header(out, entry);
    archive_write_data(out, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
}

std::string notes_of(const ImageSource& source) {
  std::string text;
  for (const auto& line : source_lines(source)) text += line + "\n";
  return text;
}

std::vector<std::string> names_of(const ImageSource& source) {
  std::vector<std::string> names;
  for (std::int64_t i = 0; i < source.size(); ++i) names.push_back(source.name(i));
  return names;
}

TEST(Folder, ClassesWithoutSplitsHoldOutAFifthAndSayIt) {
  const TempFolder temp;
  fill(temp, "");
  DataConfig config = config_of(temp.path());
  config.validation = 0.25;
  const auto splits = open_splits(config);
  EXPECT_EQ(splits.train->class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(names_of(*splits.test),
            (std::vector<std::string>{"cat/04.png", "cat/09.png", "dog/04.png", "dog/09.png"}));
  EXPECT_EQ(splits.train->size(), 12);
  EXPECT_EQ(splits.validation->size(), 4);
  EXPECT_THAT(notes_of(*splits.train), HasSubstr("every fifth picture of each class"));
  EXPECT_EQ(names_of(*open_images(config, Split::test)), names_of(*splits.test))
      << "a measure sees the same part";
  config.test = ".";
  EXPECT_EQ(open_images(config, Split::test)->size(), 20) << "or all of it, when asked for";
}

TEST(Folder, AFolderThatIsClassesAmongThemTrainIsNoSplit) {
  const TempFolder temp;
  for (const char* name : {"bus", "car", "train"})
    for (int i = 0; i < 5; ++i) write_file_atomic(temp.file(fmt::format("{}/{}.png", name, i)), picture(i));
  EXPECT_EQ(open_splits(config_of(temp.path())).train->class_names(),
            (std::vector<std::string>{"bus", "car", "train"}));
  const TempFolder bare;  // two splits without class folders are no classes
  for (const char* name : {"test", "train"})
    write_file_atomic(bare.file(fmt::format("{}/1.png", name)), picture(1));
  expect_error([&] { open_splits(config_of(bare.path())); }, ExitCode::bad_data,
               {"'test'", "no class folders"});
}

TEST(Folder, ValidationFoldersAreUsedUnderTheirUsualNames) {
  for (const char* name : {"val", "valid", "validation", "dev", "Val"}) {
    const TempFolder temp;
    fill(temp, "train/");
    fill(temp, "test/", 2);
    fill(temp, std::string(name) + "/", 3);
    const auto splits = open_splits(config_of(temp.path()));
    EXPECT_EQ(splits.train->size(), 20) << name << ": nothing is held out of train";
    ASSERT_NE(splits.validation, nullptr);
    EXPECT_EQ(splits.validation->size(), 6) << name;
    EXPECT_EQ(splits.test->size(), 4);
    EXPECT_THAT(notes_of(*splits.train), HasSubstr(fmt::format("'{}' is the validation part", name)));
    DataConfig config = config_of(temp.path());
    config.validation_split = "";
    EXPECT_EQ(open_splits(config).validation->size(), 2) << "asked for: held out of train";
    config.validation_split = "auto";
    config.test = name;
    EXPECT_EQ(open_splits(config).validation->size(), 2) << "what is test is not validation, too";
    config.test = "test";
    config.validation = 0;
    EXPECT_EQ(open_splits(config).validation, nullptr);
    EXPECT_THAT(notes_of(*open_splits(config).train), HasSubstr("is not used"));
  }
  const TempFolder both;
  for (const char* name : {"train/", "val/", "dev/"}) fill(both, name, 3);
  DataConfig config = config_of(both.path());
  expect_error([&] { open_splits(config); }, ExitCode::usage, {"'dev'", "'val'", "data.validation_split"});
  config.validation_split = "dev";
  EXPECT_EQ(open_splits(config).validation->name(0), "dev/cat/00.png");
  config.validation_split = "vla";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'vla'", "val"});
}

TEST(Folder, ATestThatIsNotThere) {
  const TempFolder temp;
  fill(temp, "train/");
  auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.test->size(), 4);
  EXPECT_THAT(notes_of(*splits.train), HasSubstr("no folder 'test': every fifth picture"));
  fill(temp, "val/", 3);
  splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.test, nullptr);
  EXPECT_EQ(splits.train->size(), 20);
  EXPECT_THAT(notes_of(*splits.train),
              HasSubstr("no folder 'test': figures are those of the validation part"));
  expect_error([&] { open_images(config_of(temp.path()), Split::test); }, ExitCode::missing_input,
               {"'test'", "val"});
  fill(temp, "Testing/", 2);
  expect_error([&] { open_splits(config_of(temp.path())); }, ExitCode::missing_input, {"data.test=Testing"});
}

TEST(Folder, OtherUsualNamesAreProposed) {
  const TempFolder temp;
  fill(temp, "Training/");
  fill(temp, "Testing/");
  expect_error([&] { open_splits(config_of(temp.path())); }, ExitCode::missing_input,
               {"'train'", "data.train=Training"});
  DataConfig config = config_of(temp.path());
  config.train = "Training", config.test = "Testing";
  EXPECT_EQ(open_splits(config).test->size(), 20);
  const TempFolder deep;
  fill(deep, "a/train/");
  fill(deep, "b/else/");
  expect_error([&] { open_splits(config_of(deep.path())); }, ExitCode::missing_input,
               {"it lies in 'a'", "data.train=a/train"});
}

TEST(Folder, OneFolderAtTheTopIsPassedOver) {
  const TempFolder temp;
  fill(temp, "photos-master/data/train/");
  fill(temp, "photos-master/data/test/", 3);
  write_file_atomic(temp.file("photos-master/README.md"), "x");
  write_file_atomic(temp.file("LICENSE"), "x");
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->name(0), "photos-master/data/train/cat/00.png");
  EXPECT_EQ(splits.test->size(), 6);
  EXPECT_EQ(splits.train->unused_files(),
            (std::map<std::string, std::int64_t>{{".md", 1}, {"without an ending", 1}}));
  const TempFolder flat;
  fill(flat, "photos/");
  EXPECT_EQ(open_splits(config_of(flat.path())).train->class_names().size(), 2U);
}

TEST(Folder, ArchivesOfEveryKindGiveWhatTheFolderGives) {
  const TempFolder temp, packed;
  fill(temp, "photos/train/");
  fill(temp, "photos/test/", 3);
  const auto plain = open_splits(config_of(temp.path()));
  for (const auto& [zipped, filter] : {std::pair{true, ARCHIVE_FILTER_NONE},
                                       {false, ARCHIVE_FILTER_NONE},
                                       {false, ARCHIVE_FILTER_GZIP},
                                       {false, ARCHIVE_FILTER_BZIP2},
                                       {false, ARCHIVE_FILTER_ZSTD}}) {
    const std::string path = packed.file("data");  // no ending: content decides
    pack(temp.path(), path, zipped, filter);
    const auto splits = open_splits(config_of(path));
    EXPECT_EQ(splits.train->fingerprint(), plain.train->fingerprint()) << zipped << filter;
    EXPECT_EQ(splits.test->fingerprint(), plain.test->fingerprint());
    EXPECT_EQ(splits.train->image(7).pixels, plain.train->image(7).pixels);
    EXPECT_EQ(open_images(config_of(path), Split::test)->fingerprint(), plain.test->fingerprint());
  }
}

TEST(Folder, LinkedPicturesAndFoldersAreFollowed) {
  const TempFolder store, temp;
  fill(store, "");
  fs::create_directories(temp.path() + "/train/dog");
  fs::create_directory_symlink(store.path() + "/cat", temp.path() + "/train/cat");
  for (int i = 0; i < 10; ++i)
    fs::create_symlink(fmt::format("{}/dog/{:02}.png", store.path(), i),
                       fmt::format("{}/train/dog/{}.png", temp.path(), i));
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->class_names(), (std::vector<std::string>{"cat", "dog"}));
  EXPECT_EQ(splits.test->size(), 4);
  EXPECT_EQ(splits.train->image(0).at(0, 0, 0), 0);
  EXPECT_EQ(open_loose_images({temp.path()}, 3)->size(), 20);
  fs::create_directory_symlink("..", temp.path() + "/train/cat/up");
  expect_error([&] { open_splits(config_of(store.path())); }, ExitCode::refused, {"cat/up", "loop"});
}

TEST(Folder, EveryEndingCounts) {
  const TempFolder temp;
  const std::string png = picture(3);
  int i = 0;
  for (const char* ending :
       {"jpg", "JPG", "jpeg", "jpe", "jfif", "png", "webp", "bmp", "dib", "tif", "TIFF", "gif"})
    for (const char* name : {"a", "b"})
      write_file_atomic(temp.file(fmt::format("{}/{}.{}", name, i++, ending)), png);
  for (const char* name : {"x.txt", "y.txt", "z.HEIC", "noending"})
    write_file_atomic(temp.file(fmt::format("a/{}", name)), "x");
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->size() + splits.validation->size() + splits.test->size(), 24);
  EXPECT_EQ(splits.train->image(0).at(0, 0, 0), 3) << "content decides, not the ending";
  EXPECT_EQ(splits.train->unused_files(),
            (std::map<std::string, std::int64_t>{{".heic", 1}, {".txt", 2}, {"without an ending", 1}}));
  EXPECT_THAT(notes_of(*splits.train), HasSubstr("files not used: 1 .heic, 2 .txt, 1 without an ending"));
}

TEST(Folder, PicturesOutsideOfTheSplitsAreCounted) {
  const TempFolder temp;
  fill(temp, "train/");
  fill(temp, "test/", 2);
  fill(temp, "unlabelled/", 4);
  write_file_atomic(temp.file("train/stray.png"), picture(1));
  EXPECT_EQ(
      open_splits(config_of(temp.path())).train->unused_files(),
      (std::map<std::string, std::int64_t>{{"pictures in 'train'", 1}, {"pictures in 'unlabelled'", 8}}));
}

TEST(Folder, WhatCannotBeRightIsAnError) {
  const TempFolder deep;
  fill(deep, "train/images/");
  fill(deep, "test/images/");
  expect_error([&] { open_splits(config_of(deep.path())); }, ExitCode::bad_data,
               {"one class only, 'images'", "'cat', 'dog'", "data.train=train/images"});
  DataConfig config = config_of(deep.path());
  config.train = "train/images", config.test = "test/images";
  EXPECT_EQ(open_splits(config).test->size(), 20);

  const TempFolder high;
  fill(high, "");
  expect_error([&] { open_images(config_of(high.path() + "/cat"), Split::test); }, ExitCode::bad_data,
               {"the folder above"});
  EXPECT_TRUE(open_splits(config_of(high.path() + "/cat")).train->class_names().empty())
      << "whether a run can do without labels, its losses say";
  fs::remove_all(high.path() + "/dog");
  expect_error([&] { open_splits(config_of(high.path())); }, ExitCode::bad_data, {"one class only, 'cat'"});

  const TempFolder empty;
  fill(empty, "train/");
  fs::create_directories(empty.path() + "/train/bird");
  expect_error([&] { open_splits(config_of(empty.path())); }, ExitCode::bad_data, {"'train/bird' is empty"});
  fs::remove(empty.path() + "/train/bird");
  fs::create_directories(empty.path() + "/test/bird");
  expect_error([&] { open_splits(config_of(empty.path())); }, ExitCode::missing_input, {"test"});

  const TempFolder nothing;
  write_file_atomic(nothing.file("a/1.heic"), "x");
  expect_error([&] { open_splits(config_of(nothing.path())); }, ExitCode::bad_data, {"1 .heic", ".webp"});
  expect_error([&] { open_loose_images({nothing.path()}, 3); }, ExitCode::missing_input, {"1 .heic"});
  for (const std::string& path : {std::string(300, 'x'), "/tmp/" + std::string(300, 'x') + "/y.png"}) {
    expect_error([&] { open_splits(config_of(path)); }, ExitCode::missing_input, {"xxx"});
    expect_error([&] { open_loose_images({path}, 3); }, ExitCode::missing_input, {"xxx"});
  }
}

TEST(Folder, TheLimitOfMegapixelsIsTheRecipes) {
  const TempFolder temp;
  fill(temp, "");
  DataConfig config = config_of(temp.path());
  config.max_megapixels = 1e-5;
  expect_error([&] { open_splits(config).train->image(0); }, ExitCode::bad_data,
               {"cat/00.png", "data.max_megapixels"});
}

// A Mac writes the accent as a character of its own.
TEST(Folder, ClassesThatLookTheSameAreOne) {
  const std::string together = "caf\xC3\xA9", apart = "cafe\xCC\x81";
  const TempFolder temp;
  fill(temp, "train/");
  fill(temp, "test/");
  write_file_atomic(temp.file("train/" + together + "/1.png"), picture(21));
  write_file_atomic(temp.file("test/" + apart + "/1.png"), picture(31));
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->class_names(), (std::vector<std::string>{together, "cat", "dog"}));
  EXPECT_EQ(splits.test->label(0), 0);
  EXPECT_EQ(splits.test->name(0), "test/" + apart + "/1.png");
  write_file_atomic(temp.file("train/" + apart + "/2.png"), picture(22));
  const auto merged = open_splits(config_of(temp.path()));
  EXPECT_EQ(merged.train->class_names().size(), 3U);
  EXPECT_EQ(merged.train->label(1), 0);
  EXPECT_THAT(notes_of(*merged.train), HasSubstr("2 folders are called 'caf"));
}

std::string shared_of(const DataConfig& config) {
  const auto splits = open_splits(config);
  std::string text;
  for (const std::string& note : splits.train->notes())
    if (note.find("byte for byte") != note.npos) text += note + "\n";
  return text;
}

TEST(Folder, TestPicturesThatWereLearnedAreCounted) {
  const TempFolder temp;
  int value = 0;
  for (const char* part : {"train/cat", "train/dog", "test/cat", "test/dog"})
    for (int i = 0; i < 10; ++i)
      write_file_atomic(temp.file(fmt::format("{}/{}.png", part, i)), picture(value++));
  DataConfig config = config_of(temp.path());
  config.validation = 0;
  EXPECT_EQ(shared_of(config), "");
  fs::copy_file(temp.path() + "/train/dog/3.png", temp.file("test/cat/other.png"));  // whatever its class
  EXPECT_EQ(shared_of(config),
            "1 of 21 test pictures is in the training part too, byte for byte: test/cat/other.png = "
            "train/dog/3.png\n");
  fs::copy_file(temp.path() + "/train/cat/0.png", temp.file("test/dog/more.png"));
  write_file_atomic(temp.file("train/cat/empty.png"), "");  // no picture, and no copy of one
  EXPECT_THAT(shared_of(config), HasSubstr("2 of 22 test pictures are in"));

  config.test = "";
  config.validation = 0.5;
  EXPECT_EQ(shared_of(config), "") << "the test part is not wanted";
  for (int i = 0; i < 10; ++i)
    fs::copy_file(fmt::format("{}/train/dog/{}.png", temp.path(), i),
                  temp.file(fmt::format("train/dog/{}-copy.png", i)));
  EXPECT_THAT(shared_of(config), HasSubstr("validation pictures are in the training part too"));
}

}  // namespace
}  // namespace mgd
