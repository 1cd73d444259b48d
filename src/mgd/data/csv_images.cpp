#include <algorithm>
#include <cmath>
#include <map>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/array_images.h"
#include "mgd/data/sources.h"
#include "mgd/format/csv.h"

namespace mgd {
namespace {

// Checks every number; returns the largest pixel.
double check_table(const NumberTable& t, const std::string& path) {
  double top = 0;
  for (std::int64_t r = 0; r < t.rows; ++r) {
    const double label = t.at(r, t.columns - 1);
    if (label < 0 || label >= static_cast<double>(kMaxClasses) || label != std::floor(label))
      fail(ExitCode::bad_data, "{}: row {}: got the label {}, expected a whole number of 0 ... {}", path, r,
           label, kMaxClasses - 1);
    for (std::int64_t c = 0; c + 1 < t.columns; ++c) {
      if (t.at(r, c) < 0 || t.at(r, c) > 255)
        fail(ExitCode::bad_data, "{}: row {}: got pixel {}, expected 0 ... 255", path, r, t.at(r, c));
      top = std::max(top, t.at(r, c));
    }
  }
  return top;
}

}  // namespace

Dataset read_csv_images(const DataConfig& config) {
  const NumberTable t = read_csv(read_file(config.path), config.path);
  const auto side = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(t.columns - 1))));
  if (side < 1 || side * side != t.columns - 1)
    fail(ExitCode::bad_data, "{}: got {} columns, expected a square number of pixels and a label",
         config.path, t.columns);
  for (const auto& name : {config.train, config.test})
    if (!name.empty() && name != "train" && name != "test")
      no_such_split(config.path, name, {"test", "train"});
  const double top = check_table(t, config.path), scale = top > 0 ? 255 / top : 1;
  PictureBlock block{.name = "row", .height = side, .width = side, .channels = 1};
  for (std::int64_t r = 0; r < t.rows; ++r) {
    block.labels.push_back(static_cast<std::int64_t>(t.at(r, t.columns - 1)));
    for (std::int64_t c = 0; c + 1 < t.columns; ++c)
      block.pixels += static_cast<char>(static_cast<std::uint8_t>(std::lround(t.at(r, c) * scale)));
  }
  ArrayDataset arrays;
  arrays.train.push_back(std::move(block));
  Dataset data = make_dataset(std::move(arrays));
  std::map<std::int64_t, std::int64_t> seen;
  std::vector<LabelledItem> train, test;
  for (const LabelledItem& item : data.train) (seen[item.label]++ % 5 == 4 ? test : train).push_back(item);
  data.test = config.test == "train" ? train : test;
  data.train = config.train == "test" ? std::move(test) : std::move(train);
  return data;
}

}  // namespace mgd
