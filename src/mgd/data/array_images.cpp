#include "mgd/data/array_images.h"

#include <algorithm>
#include <cmath>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class ArrayStore final : public PictureStore {
 public:
  void add(PictureBlock block) {
    firsts_.push_back(size_);
    size_ += static_cast<std::int64_t>(block.labels.size());
    digests_.push_back(sha256_hex(block.pixels));
    blocks_.push_back(std::move(block));
  }
  std::int64_t size() const { return size_; }

  Image image(std::int64_t item) const override {
    const auto [b, row] = place(item);
    const PictureBlock& block = blocks_[b];
    const auto bytes = static_cast<std::size_t>(block.height * block.width * block.channels);
    const auto* first = reinterpret_cast<const std::uint8_t*>(block.pixels.data()) + row * bytes;
    return {block.height, block.width, block.channels, {first, first + bytes}};
  }
  std::string name(std::int64_t item) const override {
    const auto [b, row] = place(item);
    return fmt::format("{}[{}]", blocks_[b].name, row);
  }
  // The whole block's pixels: their digest is made once, and no picture can change by itself.
  std::string identity(std::int64_t item) const override { return digests_[place(item).first]; }

 private:
  std::pair<std::size_t, std::size_t> place(std::int64_t item) const {
    MGD_ASSERT(item >= 0 && item < size_);
    const auto after = std::upper_bound(firsts_.begin(), firsts_.end(), item);
    const auto b = static_cast<std::size_t>(after - firsts_.begin()) - 1;
    return {b, static_cast<std::size_t>(item - firsts_[b])};
  }

  std::vector<PictureBlock> blocks_;
  std::vector<std::int64_t> firsts_;
  std::vector<std::string> digests_;
  std::int64_t size_ = 0;
};

std::string shape_text(const std::vector<std::int64_t>& shape) {
  std::string text = "(";
  for (std::size_t i = 0; i < shape.size(); ++i) text += (i ? ", " : "") + std::to_string(shape[i]);
  return text + ")";
}

bool is_channels(std::int64_t n) {
  return n == 1 || n == 3;
}

// Sets the size of a picture; true when the planes come one after another.
bool read_shape(const NumberArray& array, PictureBlock& block) {
  const auto& s = array.shape;
  const auto refuse = [&] {
    fail(ExitCode::bad_data,
         "{}: got the shape {}, expected (N, Y, X), (N, Y, X, 1 or 3), (N, 1 or 3, Y, X) or (N, a square)",
         block.name, shape_text(s));
  };
  if (s.size() < 2 || s.size() > 4) refuse();
  const bool planes = s.size() == 4 && !is_channels(s[3]) && is_channels(s[1]);
  if (s.size() == 4 && !planes && !is_channels(s[3])) refuse();
  block.channels = s.size() < 4 ? 1 : planes ? s[1] : s[3];
  if (s.size() == 2) {
    block.height = block.width = static_cast<std::int64_t>(std::lround(std::sqrt(static_cast<double>(s[1]))));
    if (block.height * block.width != s[1]) refuse();
  } else {
    block.height = planes ? s[2] : s[1];
    block.width = planes ? s[3] : s[2];
  }
  if (block.height < 1 || block.width < 1) refuse();
  return planes;
}

std::string to_bytes(const NumberArray& array, const std::string& name) {
  if (array.dtype == "u1") return array.bytes;
  const bool fractions = array.dtype[0] == 'f';
  const std::int64_t n = array.count();
  double top = 0;
  for (std::int64_t i = 0; i < n; ++i) {
    const double value = array.number(i);
    if (!(value >= 0 && value <= 255))  // NaN too
      fail(ExitCode::bad_data, "{}: got {} at number {}, expected pixels of 0 ... 255", name, value, i);
    top = std::max(top, value);
  }
  const double scale = array.dtype == "b1" || (fractions && top <= 1) ? 255 : 1;
  std::string out(static_cast<std::size_t>(n), '\0');
  for (std::int64_t i = 0; i < n; ++i)
    out[static_cast<std::size_t>(i)] =
        static_cast<char>(static_cast<std::uint8_t>(std::lround(array.number(i) * scale)));
  return out;
}

std::string interleaved(const std::string& planes, const PictureBlock& block) {
  if (block.channels == 1) return planes;
  const auto area = static_cast<std::size_t>(block.height * block.width),
             c = static_cast<std::size_t>(block.channels);
  std::string out(planes.size(), '\0');
  for (std::size_t first = 0; first < planes.size(); first += area * c)
    for (std::size_t k = 0; k < c; ++k)
      for (std::size_t i = 0; i < area; ++i) out[first + i * c + k] = planes[first + k * area + i];
  return out;
}

}  // namespace

std::vector<std::int64_t> read_labels(const NumberArray& labels, const std::string& name) {
  const auto& s = labels.shape;
  if (s.empty() || s.size() > 2 || (s.size() == 2 && s[1] != 1))
    fail(ExitCode::bad_data, "{}: got the shape {}, expected (N) or (N, 1) of class numbers", name,
         shape_text(s));
  std::vector<std::int64_t> out(static_cast<std::size_t>(labels.count()));
  for (std::size_t i = 0; i < out.size(); ++i) {
    const double value = labels.number(static_cast<std::int64_t>(i));
    if (!(value >= 0 && value < static_cast<double>(kMaxClasses)) || value != std::floor(value))
      fail(ExitCode::bad_data, "{}: got the label {} at {}, expected a whole number of 0 ... {}", name, value,
           i, kMaxClasses - 1);
    out[i] = static_cast<std::int64_t>(value);
  }
  return out;
}

PictureBlock picture_block(const NumberArray& pictures, const NumberArray& labels, const std::string& name) {
  PictureBlock block{.name = name};
  const bool planes = read_shape(pictures, block);
  block.labels = read_labels(labels, name);
  if (pictures.shape[0] != static_cast<std::int64_t>(block.labels.size()))
    fail(ExitCode::bad_data, "{}: {} pictures, but {} labels", name, pictures.shape[0], block.labels.size());
  block.pixels = to_bytes(pictures, name);
  if (planes) block.pixels = interleaved(block.pixels, block);
  return block;
}

Dataset make_dataset(ArrayDataset arrays) {
  Dataset data;
  auto store = std::make_shared<ArrayStore>();
  std::int64_t max_label = arrays.max_label, channels = 0;
  const auto add = [&](std::vector<PictureBlock>& blocks, std::vector<LabelledItem>& items) {
    for (PictureBlock& block : blocks) {
      if (channels == 0) channels = block.channels;
      if (block.channels != channels)
        fail(ExitCode::bad_data, "{}: got {} channels, expected {} as in the arrays before", block.name,
             block.channels, channels);
      std::int64_t item = store->size();
      for (const std::int64_t label : block.labels) {
        items.push_back({item++, label});
        max_label = std::max(max_label, label);
      }
      store->add(std::move(block));
    }
  };
  add(arrays.train, data.train);
  add(arrays.test, data.test);
  if (!arrays.validation.empty()) add(arrays.validation, data.validation.emplace());
  data.store = std::move(store);
  data.channels = channels == 0 ? 1 : channels;
  data.classes = std::move(arrays.classes);
  if (data.classes.empty())
    for (std::int64_t k = 0; k <= max_label; ++k) data.classes.push_back(std::to_string(k));
  return data;
}

}  // namespace mgd
