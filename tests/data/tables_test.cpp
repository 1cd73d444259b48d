// Which column of a table is the label, and which arrays of a .npz belong together.
#include <archive.h>
#include <archive_entry.h>

#include "data/toy.h"
#include "mgd/core/file.h"
#include "mgd/data/array_names.h"
#include "mgd/data/label_column.h"
#include "mgd/format/npy.h"

namespace mgd {
namespace {

using testing::HasSubstr;

// 2 x 2 pixels; the label is i % 3, in front or behind. The last pixel is `border` in all rows, or varies
// when that is negative.
std::string table(const std::string& header, bool label_first, int border) {
  std::string text = header;
  for (int i = 0; i < 60; ++i) {
    const std::string pixels =
        fmt::format("{},{},{},{}", 10 * (i % 11), 200 - i, 3 * i, border >= 0 ? border : 7 * (i % 13));
    text += label_first ? fmt::format("{},{}\n", i % 3, pixels) : fmt::format("{},{}\n", pixels, i % 3);
  }
  return text;
}

LabelColumn column_of(const std::string& text, const std::string& asked = "") {
  return find_label_column(read_csv(text, "t.csv"), asked, "t.csv");
}

TEST(LabelColumn, IsFoundByItsName) {
  EXPECT_EQ(column_of(table("label,pixel0,pixel1,pixel2,pixel3\n", true, -1)).column, 0);
  EXPECT_EQ(column_of(table("pixel0,pixel1,pixel2,pixel3,Class\n", false, -1)).column, 4);
  EXPECT_THAT(column_of(table("label,pixel0,pixel1,pixel2,pixel3\n", true, -1)).reason,
              HasSubstr("'label', the first"));
  expect_error([] { column_of(table("label,y,p1,p2,p3\n", true, -1)); }, ExitCode::usage,
               {"'label' and 'y'", "data.label_column"});
}

TEST(LabelColumn, IsFoundByWhatTheDataSay) {
  EXPECT_EQ(column_of(table("", true, 0)).column, 0) << "the last column is a border";
  EXPECT_EQ(column_of(table("", false, -1)).column, 4) << "pixels do not count from 0 without a gap";
  EXPECT_EQ(column_of(table("", true, -1)).column, 0);
  EXPECT_EQ(column_of(table("0,1,2,3,4\n", true, 0)).column, 0) << "columns numbered by pandas";
  EXPECT_EQ(read_csv(table("0,1,2,3,4\n", true, 0), "t.csv").rows, 60);
}

TEST(LabelColumn, IsAskedForOtherwise) {
  std::string both;
  for (int i = 0; i < 60; ++i) both += fmt::format("{},9,8,7,{}\n", i % 3, i % 2);
  expect_error([&] { column_of(both); }, ExitCode::usage, {"both", "data.label_column=first"});
  EXPECT_EQ(column_of(both, "last").column, 4);
  EXPECT_EQ(column_of(both, "first").column, 0);
  EXPECT_EQ(column_of("a,b,c,d,e\n" + both, "c").column, 2);
  expect_error([&] { column_of(both, "label"); }, ExitCode::missing_input,
               {"no column 'label'", "no header"});
  expect_error([&] { column_of("kind,b,c,d,e\n" + both, "knid"); }, ExitCode::missing_input,
               {"'knid'", "'kind'"});
  std::string neither;
  for (int i = 0; i < 60; ++i) neither += fmt::format("0.5,9,8,7,{}.25\n", i % 2);
  expect_error([&] { column_of(neither); }, ExitCode::usage, {"neither"});
}

TEST(LabelColumn, PicturesComeWithoutIt) {
  const TempFolder temp;
  write_file_atomic(temp.file("kaggle.csv"), table("label,pixel0,pixel1,pixel2,pixel3\n", true, 255));
  DataConfig config;
  config.path = temp.file("kaggle.csv");
  const auto splits = open_splits(config);
  EXPECT_EQ(splits.train->class_names().size(), 3U);
  EXPECT_EQ(splits.train->image(0).pixels, (std::vector<std::uint8_t>{0, 200, 0, 255}));
  for (std::int64_t i = 0; i < splits.test->size(); ++i) EXPECT_EQ(splits.test->image(i).at(1, 1, 0), 255);
  EXPECT_THAT(splits.train->notes()[0], HasSubstr("'label'"));
}

TEST(Tables, OneClassIsRefusedAndEmptyOnesAreNoted) {
  const TempFolder temp;
  DataConfig config;
  config.path = temp.file("t.csv");
  std::string one = "a,b,c,d,label\n", gap = one;
  for (int i = 0; i < 40; ++i) {
    one += fmt::format("1,2,3,{},7\n", i);
    gap += fmt::format("1,2,3,{},{}\n", i, 1 + i % 5);
  }
  write_file_atomic(config.path, one);
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"of one class, '7'"});
  write_file_atomic(config.path, gap);
  const auto train = open_splits(config).train;
  EXPECT_THAT(train->notes().back(), HasSubstr("1 of 6 classes have no training picture: '0'"));
  write_file_atomic(config.path, "i,a,b,c,d,label\n1,2,3,4,5,0\n");
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"6 columns", "number of the row", "2 x 2"});
}

std::string npy(const std::string& shape, const std::string& bytes) {
  std::string header = fmt::format("{{'descr': '|u1', 'fortran_order': False, 'shape': {}, }}", shape);
  header.resize((header.size() + 10 + 63) / 64 * 64 - 11, ' ');
  header += '\n';
  return std::string("\x93NUMPY\x01\0", 8) + static_cast<char>(header.size() & 0xff) +
         static_cast<char>(header.size() >> 8) + header + bytes;
}

void write_npz(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  ::archive* out = archive_write_new();
  archive_write_set_format_zip(out);
  archive_write_open_filename(out, path.c_str());
  for (const auto& [name, bytes] : members) {
    ::archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, (name + ".npy").c_str());
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, static_cast<la_int64_t>(bytes.size()));
    archive_write_header(out, entry);
    archive_write_data(out, bytes.data(), bytes.size());
    archive_entry_free(entry);
  }
  archive_write_close(out);
  archive_write_free(out);
}

// `n` pictures of 2 x 2 pixels, labels 0 and 1 in turn.
std::string pictures(int n) {
  return npy(fmt::format("({}, 2, 2)", n), std::string(static_cast<std::size_t>(4 * n), 'p'));
}
std::string labels(int n) {
  std::string bytes;
  for (int i = 0; i < n; ++i) bytes += static_cast<char>(i % 2);
  return npy(fmt::format("({}, 1)", n), bytes);
}

TEST(Npz, ArraysUnderUsualNames) {
  const TempFolder temp;
  DataConfig config;
  config.path = temp.file("data.npz");
  write_npz(config.path, {{"train_images", pictures(20)},
                          {"train_labels", labels(20)},
                          {"val_images", pictures(6)},
                          {"val_labels", labels(6)},
                          {"test_images", pictures(8)},
                          {"test_labels", labels(8)}});
  auto splits = open_splits(config);
  EXPECT_EQ(splits.train->size(), 20);
  EXPECT_EQ(splits.validation->size(), 6);
  EXPECT_EQ(splits.test->size(), 8);
  EXPECT_THAT(splits.train->notes()[0], HasSubstr("'val' is the validation part"));
  config.test = "tset";
  expect_error([&] { open_splits(config); }, ExitCode::missing_input, {"'tset'", "'test'"});
  config.test = "test";
  write_npz(
      config.path,
      {{"X_train", pictures(20)}, {"y_train", labels(20)}, {"X_test", pictures(8)}, {"y_test", labels(8)}});
  splits = open_splits(config);
  EXPECT_EQ(splits.train->size() + splits.validation->size(), 20);
  EXPECT_EQ(splits.test->size(), 8);
  write_npz(config.path, {{"data", pictures(20)}, {"target", labels(20)}});
  splits = open_splits(config);
  EXPECT_EQ(splits.test->size(), 4);
  EXPECT_THAT(splits.train->notes()[0], HasSubstr("without splits"));
  write_npz(config.path, {{"arr_0", pictures(20)}, {"arr_1", labels(20)}});
  expect_error([&] { open_splits(config); }, ExitCode::bad_data, {"arr_0, arr_1", "x_train"});
}

}  // namespace
}  // namespace mgd
