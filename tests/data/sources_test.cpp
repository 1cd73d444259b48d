// Each format from files that the test writes.
#include <map>

#include "data/toy.h"
#include "mgd/core/file.h"

namespace mgd {
namespace {

using testing::HasSubstr;

std::string png(std::uint8_t red, std::uint8_t green, std::int64_t side = 4) {
  Image image{side, side, 3, {}};
  for (std::int64_t i = 0; i < side * side; ++i) image.pixels.insert(image.pixels.end(), {red, green, red});
  return encode_png(image);
}

DataConfig config_of(const std::string& path) {
  DataConfig config;
  config.path = path;
  return config;
}

std::map<std::int64_t, int> labels_of(const ImageSource& source) {
  std::map<std::int64_t, int> counts;
  for (std::int64_t i = 0; i < source.size(); ++i) ++counts[source.label(i)];
  return counts;
}

void fill_folder(const TempFolder& temp, int per_class = 20) {
  for (int i = 0; i < per_class; ++i)
    for (const char* name : {"bee", "ant", "ant-eater"})
      write_file_atomic(temp.file(fmt::format("train/{}/{:02}.png", name, i)),
                        png(static_cast<std::uint8_t>(i), 200));
  write_file_atomic(temp.file("test/bee/a.PNG"), png(7, 8));
}

TEST(ImageFolder, ClassesAreSortedAndTestUsesThoseOfTrain) {
  const TempFolder temp;
  fill_folder(temp);
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->class_names(), (std::vector<std::string>{"ant", "ant-eater", "bee"}));
  ASSERT_EQ(splits.test->size(), 1);
  EXPECT_EQ(splits.test->label(0), 2);
  EXPECT_EQ(splits.test->name(0), "test/bee/a.PNG");
  EXPECT_EQ(splits.test->image(0).at(1, 2, 1), 8);
  const auto alone = open_images(config_of(temp.path()), Split::test);
  EXPECT_EQ(alone->label(0), 2) << "the classes of train count even when only the test is wanted";
  EXPECT_EQ(alone->fingerprint(), splits.test->fingerprint());
}

TEST(ImageFolder, ValidationAndPerClass) {
  const TempFolder temp;
  fill_folder(temp);
  DataConfig config = config_of(temp.path());
  config.validation = 0.25;
  auto splits = open_splits(config);
  EXPECT_EQ(labels_of(*splits.train), (std::map<std::int64_t, int>{{0, 15}, {1, 15}, {2, 15}}));
  EXPECT_EQ(labels_of(*splits.validation), (std::map<std::int64_t, int>{{0, 5}, {1, 5}, {2, 5}}));
  for (const int i : {0, 1, 2, 3, 4})
    EXPECT_EQ(splits.validation->name(i), fmt::format("train/ant/{:02}.png", 4 * i + 3));
  config.per_class = 2;
  splits = open_splits(config);
  EXPECT_EQ(labels_of(*splits.train), (std::map<std::int64_t, int>{{0, 2}, {1, 2}, {2, 2}}));
  EXPECT_EQ(splits.validation->size(), 15);
  config.validation = 0, config.test = "";
  splits = open_splits(config);
  EXPECT_EQ(splits.validation, nullptr);
  EXPECT_EQ(splits.test, nullptr);
}

TEST(ImageFolder, MistakesAreNamed) {
  const TempFolder temp;
  fill_folder(temp, 2);
  DataConfig config = config_of(temp.path());
  config.test = "tset";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {temp.path(), "'tset'", "'test'"});
  config.test = "test";
  write_file_atomic(temp.file("test/bea/a.png"), png(7, 8));
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"'bea'", "'bee'"});
  std::filesystem::remove_all(temp.path() + "/test/bea");
  write_file_atomic(temp.file("train/bee/notes.txt"), "x");
  EXPECT_EQ(open_splits(config).train->unused_files(), (std::map<std::string, std::int64_t>{{".txt", 1}}));
  write_file_atomic(temp.file("train/empty/only.heic"), "x");
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"train/empty", "only.heic", ".png"});
  expect_error([&] { open_splits(config_of(temp.path() + "/nothing")); }, ExitCode::missing_input,
               {"nothing"});
  config.format = "imagefodler";
  expect_error([&] { open_splits(config); }, ExitCode::usage, {"'imagefodler'", "'imagefolder'"});
}

// All headers count: 16 looks would miss the one picture of 150 that has a colour.
TEST(ImageFolder, GreyStaysGreyOnlyWhenAllIsGrey) {
  const TempFolder temp;
  const std::string grey = encode_png({4, 4, 1, std::vector<std::uint8_t>(16, 9)});
  for (int i = 0; i < 150; ++i)
    write_file_atomic(temp.file(fmt::format("train/{}/{:03}.png", i % 2, i)), grey);
  write_file_atomic(temp.file("test/0/0.png"), grey);
  DataConfig config = config_of(temp.path());
  EXPECT_EQ(open_splits(config).train->channels(), 1);
  EXPECT_EQ(open_splits(config).train->image(0).pixels, std::vector<std::uint8_t>(16, 9));
  config.channels = 3;
  EXPECT_EQ(open_splits(config).train->channels(), 3);
  EXPECT_EQ(open_splits(config).train->image(0).pixels, std::vector<std::uint8_t>(48, 9));
  config.channels = 0;
  write_file_atomic(temp.file("train/0/126.png"), png(9, 10));
  EXPECT_EQ(open_splits(config).train->channels(), 3);
  EXPECT_EQ(open_images(config, Split::test)->channels(), 1)
      << "the test part alone is grey; a model says more";
  config.channels = 1;
  EXPECT_EQ(open_splits(config).train->channels(), 1);
  EXPECT_EQ(open_splits(config).train->image(0).pixels.size(), 16U);
}

TEST(ImageFolder, CorruptPicturesAreCountedWithTheirNames) {
  const TempFolder temp;
  fill_folder(temp);
  const std::string whole = png(1, 2);
  write_file_atomic(temp.file("train/ant/00.png"), whole.substr(0, whole.size() / 2));
  DataConfig config = config_of(temp.path());
  config.validation = 0;
  const auto splits = open_splits(config);
  EXPECT_EQ(splits.train->channels(), 3);
  Loader loader(*splits.train, {}, {.batch_size = 60, .threads = 2});
  EXPECT_EQ(loader.next().micro[0].sample_ids[0], 1);
  ASSERT_EQ(loader.corrupt().size(), 1U);
  EXPECT_EQ(loader.corrupt().begin()->first, "train/ant/00.png");
  EXPECT_THAT(loader.corrupt().begin()->second, HasSubstr("truncated"));
  EXPECT_THAT(loader.corrupt().begin()->second, testing::Not(HasSubstr("train/ant")));
  write_file_atomic(temp.file("train/ant/01.png"), "");
  write_file_atomic(temp.file("train/ant/02.jpg"), "hello");
  const auto worse = open_splits(config);
  Loader stops(*worse.train, {}, {.batch_size = 60, .threads = 2, .height = 4, .width = 4});
  expect_error([&] { stops.next(); }, ExitCode::bad_data, {"corrupt", "at most 1", "train/ant/0"});
}

TEST(ImageFolder, HostileNamesAreKeptButNotPrinted) {
  const TempFolder temp;
  const std::string evil = "<script>alert(1)<\n\x1b[31m";
  fill_folder(temp, 2);
  std::filesystem::create_directories(temp.path() + "/train/" + evil);
  write_file_atomic(temp.path() + "/train/" + evil + "/x\ny.png", png(1, 2));
  const auto splits = open_splits(config_of(temp.path()));
  EXPECT_EQ(splits.train->class_names()[0], evil);
  EXPECT_EQ(splits.train->name(0), "train/" + evil + "/x\ny.png");
  write_file_atomic(temp.path() + "/train/" + evil + "/x\ny.png", "damaged");
  const auto damaged = open_splits(config_of(temp.path()));
  try {
    damaged.train->image(0);
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find_first_of("\n\x1b"), std::string::npos);
  }
  std::filesystem::create_directories(temp.path() + "/test/" + evil);
  write_file_atomic(temp.path() + "/test/" + evil + "2.webp", "");  // no class folder: not looked at
  std::filesystem::rename(temp.path() + "/train/" + evil, temp.path() + "/train/other");
  write_file_atomic(temp.path() + "/test/" + evil + "/a.png", png(1, 2));
  try {
    open_splits(config_of(temp.path()));
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(std::string(e.what()).find_first_of("\n\x1b"), std::string::npos) << e.what();
  }
}

std::string idx(std::vector<std::uint32_t> shape, const std::string& bytes) {
  std::string out("\0\0\x08", 3);
  out += static_cast<char>(shape.size());
  for (const auto n : shape)
    for (int shift = 24; shift >= 0; shift -= 8)
      out += static_cast<char>(static_cast<std::uint8_t>(n >> shift));
  return out + bytes;
}

TEST(Idx, PairsAreFoundByName) {
  const TempFolder temp;
  std::string pixels;
  for (int i = 0; i < 60; ++i) pixels += static_cast<char>(i);
  write_file_atomic(temp.file("raw/train-images-idx3-ubyte"), idx({10, 2, 3}, pixels));
  write_file_atomic(temp.file("raw/train-labels-idx1-ubyte"),
                    idx({10}, std::string("\0\1\2\0\1\2\0\1\2\4", 10)));
  write_file_atomic(temp.file("raw/t10k-images.idx3-ubyte"), idx({1, 2, 3}, "abcdef"));
  write_file_atomic(temp.file("raw/t10k-labels.idx1-ubyte"), idx({1}, "\1"));
  DataConfig config = config_of(temp.path());
  config.validation = 0;
  const auto splits = open_splits(config);
  EXPECT_EQ(splits.train->size(), 10);
  EXPECT_EQ(splits.train->channels(), 1);
  EXPECT_EQ(splits.train->class_names().size(), 5U);
  EXPECT_EQ(splits.train->image(3).at(1, 2, 0), 3 * 6 + 5);
  EXPECT_EQ(splits.train->label(9), 4);
  EXPECT_THAT(splits.train->name(3), HasSubstr("train-images-idx3-ubyte[3]"));
  const auto test = open_images(config, Split::test);
  EXPECT_EQ(test->image(0).at(0, 1, 0), 'b');
  EXPECT_EQ(test->class_names().size(), 5U);
  config.test = "tets";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'tets'", "'test'"});
  expect_error([&] { open_splits(config_of(temp.path() + "/raw/train-images-idx3-ubyte")); },
               ExitCode::bad_data, {"single IDX", "folder"});
  write_file_atomic(temp.file("raw/train-labels-idx1-ubyte"), idx({9}, std::string(9, '\0')));
  expect_error([&] { open_images(config, Split::train); }, ExitCode::bad_data, {"10 pictures", "9 labels"});
  write_file_atomic(temp.file("raw/train-images-idx3-ubyte"), idx({4'000'000'000U, 60'000, 60'000}, pixels));
  expect_error([&] { open_images(config, Split::train); }, ExitCode::bad_data, {"train-images"});
}

TEST(Cifar, BothFlavours) {
  const TempFolder ten, hundred;
  const auto record = [](const std::string& label, char red) {
    return label + std::string(1024, red) + std::string(1024, '\x02') + std::string(1024, '\x03');
  };
  write_file_atomic(ten.file("x/data_batch_2.bin"), record("\x09", 'b'));
  write_file_atomic(ten.file("x/data_batch_1.bin"), record("\x03", 'a') + record("\x04", 'c'));
  write_file_atomic(ten.file("x/test_batch.bin"), record(std::string(1, '\0'), 'd'));
  DataConfig config = config_of(ten.path());
  config.validation = 0;
  const auto splits = open_splits(config);
  ASSERT_EQ(splits.train->size(), 3);
  EXPECT_EQ(splits.train->label(2), 9);
  EXPECT_EQ(splits.train->class_names()[3], "cat");
  const Image image = splits.train->image(1);
  EXPECT_EQ(image.at(31, 31, 0), 'c');
  EXPECT_EQ(image.at(0, 5, 1), 2);
  EXPECT_EQ(image.at(9, 0, 2), 3);
  config.test = "val";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'val'", "test"});
  write_file_atomic(hundred.file("train.bin"), record("\x05\x63", 'a') + record("\x05\x62", 'a'));
  write_file_atomic(hundred.file("test.bin"), record("\x05\x07", 'a'));
  const auto fine = open_splits(config_of(hundred.path()));
  EXPECT_EQ(fine.test->label(0), 7);
  EXPECT_EQ(fine.test->class_names().size(), 100U);
  write_file_atomic(hundred.file("test.bin"), "short");
  expect_error([&] { open_splits(config_of(hundred.path())); }, ExitCode::bad_data, {"test.bin", "5 bytes"});
  const TempFolder python;
  write_file_atomic(python.file("cifar-10-batches-py/data_batch_1"), "\x80\x04");
  expect_error([&] { open_splits(config_of(python.path())); }, ExitCode::refused,
               {"pickle", "binary version"});
}

TEST(Npz, ShapesTypesAndSplits) {
  DataConfig config = config_of(MGD_SOURCE_DIR
                                "/tests/data/fixtures"
                                "/arrays.npz");  // scripts/fixtures/make_dataset.py
  config.validation = 0;
  const auto splits = open_splits(config);
  ASSERT_EQ(splits.train->size(), 6);
  EXPECT_EQ(splits.train->channels(), 3);
  EXPECT_EQ(splits.train->class_names().size(), 4U);
  EXPECT_EQ(splits.train->label(5), 1);
  // x_train[n, y, x, c] = 40 n + 10 y + 3 x + c; x_test holds the same as float planes over 255.
  EXPECT_EQ(splits.train->image(5).at(2, 1, 2), 200 + 20 + 3 + 2);
  EXPECT_EQ(splits.test->image(1).at(2, 3, 1), 40 + 20 + 9 + 1);
  config.test = "tset";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'tset'", "'test'"});
  config.test = "bad_labels";
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"10000", "9999"});
  config.test = "bad_pixels";
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"300", "0 ... 255"});
  config.test = "bad_shape";
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"(2, 5)", "a square"});
}

TEST(Csv, EveryFifthOfAClassIsTest) {
  const TempFolder temp;
  std::string text = "p0,p1,p2,p3,label\n";
  for (int i = 0; i < 20; ++i) text += fmt::format("{},0,16,8,{}\n", i % 17, i % 2);
  write_file_atomic(temp.file("d.csv"), text);
  DataConfig config = config_of(temp.file("d.csv"));
  config.validation = 0.25;
  const auto splits = open_splits(config);
  EXPECT_EQ(labels_of(*splits.test), (std::map<std::int64_t, int>{{0, 2}, {1, 2}}));
  EXPECT_EQ(labels_of(*splits.train), (std::map<std::int64_t, int>{{0, 6}, {1, 6}}));
  EXPECT_EQ(labels_of(*splits.validation), (std::map<std::int64_t, int>{{0, 2}, {1, 2}}));
  EXPECT_EQ(splits.test->name(0), "row[8]");
  EXPECT_EQ(splits.train->image(2).pixels, (std::vector<std::uint8_t>{32, 0, 255, 128}));
  config.test = "valid";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'valid'", "train"});
  config = config_of(config.path);
  config.label_column = "last";
  write_file_atomic(temp.file("d.csv"), "1,2,3,4,10000\n");
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"row 1", "10000", "9999"});
  write_file_atomic(temp.file("d.csv"), "1,2,3,0\n");
  expect_error([&] { open_splits(config_of(config.path)); }, ExitCode::bad_data, {"4 columns", "square"});
}

TEST(Detect, WhatIsNoDatasetIsNamed) {
  const TempFolder temp;
  const auto expect = [&](const std::string& bytes, ExitCode code, const std::string& part) {
    write_file_atomic(temp.file("data"), bytes);
    expect_error([&] { open_splits(config_of(temp.file("data"))); }, code, {temp.path(), part});
  };
  expect("", ExitCode::bad_data, "empty file");
  expect("\x80\x04\x95", ExitCode::refused, "pickle");
  expect("\x93NUMPY\x01", ExitCode::bad_data, ".npz");
  expect(png(1, 2), ExitCode::bad_data, "single picture");
  expect("hello", ExitCode::bad_data, "no known dataset");
  expect("PK\x03\x04 but no zip", ExitCode::bad_data, "damaged archive");
  expect("7z\xBC\xAF\x27\x1C...", ExitCode::bad_data, "7z archive");
  expect("Rar!\x1A\x07", ExitCode::bad_data, "unpack it");
}

TEST(Loose, FilesAndFoldersInOrder) {
  const TempFolder temp;
  write_file_atomic(temp.file("in/b/2.png"), png(1, 2));
  write_file_atomic(temp.file("in/a.JPG"), png(3, 4));  // by magic bytes, not by name
  write_file_atomic(temp.file("in/notes.txt"), "x");
  write_file_atomic(temp.file("empty/notes.txt"), "x");
  const auto loose = open_loose_images({temp.file("in/b/2.png"), temp.path() + "/in"}, 3);
  ASSERT_EQ(loose->size(), 3);
  EXPECT_EQ(loose->name(1), temp.path() + "/in/a.JPG");
  EXPECT_EQ(loose->image(1).at(0, 0, 1), 4);
  EXPECT_EQ(loose->label(1), -1);
  expect_error([&] { open_loose_images({temp.path() + "/empty"}, 3); }, ExitCode::missing_input,
               {"empty", ".png"});
  expect_error([&] { open_loose_images({temp.path() + "/no.png"}, 3); }, ExitCode::missing_input, {"no.png"});
}

}  // namespace
}  // namespace mgd
