#include "mgd/data/folder_store.h"

#include <algorithm>
#include <cmath>

#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class FolderStore final : public PictureStore {
 public:
  FolderStore(std::shared_ptr<const FileTree> tree, std::int64_t channels, ImageLimits limits)
      : tree_(std::move(tree)), channels_(channels), limits_(limits) {}
  Image image(std::int64_t item) const override {
    return decode_image(tree_->read(static_cast<std::size_t>(item)), channels_, limits_);
  }
  ImageHeader header(std::int64_t item) const override {
    const auto index = static_cast<std::size_t>(item);
    const auto header = read_image_header(tree_->read_start(index, kHeaderBytes));
    return header ? *header : header_of(tree_->read(index));
  }
  std::string name(std::int64_t item) const override { return entry(item).name; }
  std::string identity(std::int64_t item) const override { return std::to_string(entry(item).size); }
  std::string content(std::int64_t item) const override {
    return tree_->read(static_cast<std::size_t>(item));
  }
  std::string content_start(std::int64_t item) const override {
    constexpr std::size_t kStart = 4096;
    return tree_->read_start(static_cast<std::size_t>(item), kStart);
  }
  std::uint64_t content_size(std::int64_t item) const override { return entry(item).size; }

 private:
  const ArchiveEntry& entry(std::int64_t item) const {
    return tree_->entries().at(static_cast<std::size_t>(item));
  }
  std::shared_ptr<const FileTree> tree_;
  std::int64_t channels_;
  ImageLimits limits_;
};

// By the headers of all: one stamp of colour among grey scans must not be lost. Stops at the first colour.
bool all_grey(const Dataset& data, const FileTree& tree) {
  bool any = false;
  const auto colour = [&](const LabelledItem& item) {
    const auto index = static_cast<std::size_t>(item.item);
    auto header = read_image_header(tree.read_start(index, kHeaderBytes));
    if (!header) header = read_image_header(tree.read(index));
    any = any || header;  // the loader counts the damaged ones
    return header && header->channels == 3;
  };
  const std::vector<LabelledItem> none;
  for (const auto* split : {&data.train, &data.test, data.validation ? &*data.validation : &none})
    if (std::any_of(split->begin(), split->end(), colour)) return false;
  return any;
}

}  // namespace

void open_store(Dataset& data, const DataConfig& config, std::shared_ptr<const FileTree> tree) {
  data.channels = config.channels > 0 ? config.channels : (all_grey(data, *tree) ? 1 : 3);
  const auto max_pixels = static_cast<std::int64_t>(std::llround(config.max_megapixels * 1e6));
  data.store =
      std::make_shared<FolderStore>(std::move(tree), data.channels, ImageLimits{.max_pixels = max_pixels});
}

}  // namespace mgd
