#include "mgd/data/dataset.h"

#include <cmath>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class SplitImages final : public ImageSource {
 public:
  SplitImages(const Dataset& data, std::vector<LabelledItem> items)
      : store_(data.store),
        channels_(data.channels),
        classes_(data.classes),
        items_(std::move(items)),
        ignored_(data.ignored) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  std::int64_t channels() const override { return channels_; }
  const std::vector<std::string>& class_names() const override { return classes_; }
  std::int64_t label(std::int64_t i) const override { return at(i).label; }
  std::string name(std::int64_t i) const override { return store_->name(at(i).item); }
  std::int64_t num_ignored() const override { return ignored_; }

  Image image(std::int64_t i) const override {
    return named(at(i).item, [this](std::int64_t item) { return store_->image(item); });
  }
  ImageHeader header(std::int64_t i) const override {
    return named(at(i).item, [this](std::int64_t item) { return store_->header(item); });
  }

  std::string fingerprint() const override {
    std::string text;  // lengths first: names may hold anything, line ends included
    for (const auto& c : classes_) text += fmt::format("{}:{}", c.size(), c);
    for (const auto& [item, label] : items_) {
      const std::string name = store_->name(item);
      text += fmt::format("{}:{}{},{};", name.size(), name, store_->identity(item), label);
    }
    return sha256_hex(text);
  }

 private:
  // What `read` gives, or its error with the name of the sample in front.
  template <class Read>
  auto named(std::int64_t item, Read&& read) const -> decltype(read(item)) {
    try {
      return read(item);
    } catch (const Error& e) {
      throw Error(e.code(), printable(store_->name(item)) + ": " + e.what());
    }
  }
  const LabelledItem& at(std::int64_t i) const { return items_.at(static_cast<std::size_t>(i)); }

  std::shared_ptr<const PictureStore> store_;
  std::int64_t channels_;
  std::vector<std::string> classes_;
  std::vector<LabelledItem> items_;
  std::int64_t ignored_;
};

bool held_out(std::int64_t i, double frac) {
  return std::floor(static_cast<double>(i + 1) * frac) > std::floor(static_cast<double>(i) * frac);
}

}  // namespace

ImageHeader ImageSource::header(std::int64_t index) const {
  const Image whole = image(index);
  return {.height = whole.height, .width = whole.width, .channels = whole.channels};
}

std::shared_ptr<const ImageSource> select_split(const Dataset& data, const DataConfig& config, Split split) {
  if (split == Split::test) return std::make_unique<SplitImages>(data, data.test);
  std::vector<std::int64_t> seen(data.classes.size()), kept(data.classes.size());
  std::vector<LabelledItem> chosen;
  for (const LabelledItem& item : data.train) {
    const auto label = static_cast<std::size_t>(item.label);
    if (held_out(seen[label]++, config.validation) != (split == Split::validation)) continue;
    if (split == Split::train && config.per_class > 0 && kept[label]++ >= config.per_class) continue;
    chosen.push_back(item);
  }
  return std::make_unique<SplitImages>(data, std::move(chosen));
}

}  // namespace mgd
