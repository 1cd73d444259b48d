#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/array_images.h"
#include "mgd/data/label_column.h"
#include "mgd/data/sources.h"
#include "mgd/format/csv.h"

namespace mgd {
namespace {

// "row 3 of numbers, column 'pixel5'", counted from 1.
std::string cell_name(const NumberTable& t, std::int64_t row, std::int64_t column) {
  const auto c = static_cast<std::size_t>(column);
  return c < t.header.size() ? fmt::format("row {} of numbers, column '{}'", row + 1, printable(t.header[c]))
                             : fmt::format("row {}, column {}", row + 1, column + 1);
}

// Checks every number; returns the largest pixel.
double check_table(const NumberTable& t, std::int64_t label_column, const std::string& path) {
  double top = 0;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const double label = t.at(r, label_column);
    if (label < 0 || label >= static_cast<double>(kMaxClasses) || label != std::floor(label))
      fail(ExitCode::bad_data, "{}: {}: got the label {}, expected a whole number of 0 ... {}", path,
           cell_name(t, r, label_column), label, kMaxClasses - 1);
    for (std::int64_t c = 0; c < t.columns; ++c) {
      if (c == label_column) continue;
      if (t.at(r, c) < 0 || t.at(r, c) > 255)
        fail(ExitCode::bad_data, "{}: {}: got pixel {}, expected 0 ... 255", path, cell_name(t, r, c),
             t.at(r, c));
      top = std::max(top, t.at(r, c));
    }
  }
  return top;
}

std::int64_t side_of(const NumberTable& t, const std::string& path) {
  const auto root = [](std::int64_t n) {
    return static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(n))));
  };
  const std::int64_t side = root(t.columns - 1), with_index = t.columns < 2 ? 0 : root(t.columns - 2);
  if (side >= 1 && side * side == t.columns - 1) return side;
  fail(ExitCode::bad_data, "{}: got {} columns, expected a square number of pixels and a label{}", path,
       t.columns,
       with_index > 1 && with_index * with_index == t.columns - 2
           ? fmt::format(
                 "; is one of them a number of the row? {} x {} pixels and a label are one column less",
                 with_index, with_index)
           : "");
}

}  // namespace

Dataset read_csv_images(const DataConfig& config, WantedSplits wanted) {
  const NumberTable t = read_csv(read_file(config.path), config.path);
  const std::int64_t side = side_of(t, config.path);
  for (const auto& name : {config.train, config.test})
    if (!name.empty() && name != "train" && name != "test")
      no_such_split(config.path, name, {"test", "train"});
  const LabelColumn label = find_label_column(t, config.label_column, config.path);
  const double top = check_table(t, label.column, config.path), scale = top > 0 ? 255 / top : 1;
  PictureBlock block{.name = "row", .height = side, .width = side, .channels = 1};
  for (std::int64_t r = 0; r < t.rows; ++r) {
    block.labels.push_back(static_cast<std::int64_t>(t.at(r, label.column)));
    for (std::int64_t c = 0; c < t.columns; ++c)
      if (c != label.column)
        block.pixels += static_cast<char>(static_cast<std::uint8_t>(std::lround(t.at(r, c) * scale)));
  }
  ArrayDataset arrays;
  arrays.train.push_back(std::move(block));
  Dataset data = make_dataset(std::move(arrays));
  hold_out_test(data, config.train, config.test);
  data.notes.push_back(label.reason);
  if (wanted.test) data.notes.emplace_back("every fifth row of each class is the test part");
  return data;
}

}  // namespace mgd
