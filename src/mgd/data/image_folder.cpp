// SPLIT/CLASS/picture in a folder or an archive.
#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "mgd/core/error.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class FolderStore final : public PictureStore {
 public:
  FolderStore(std::shared_ptr<const FileTree> tree, std::int64_t channels)
      : tree_(std::move(tree)), channels_(channels) {}
  Image image(std::int64_t item) const override {
    return decode_image(tree_->read(static_cast<std::size_t>(item)), channels_);
  }
  ImageHeader header(std::int64_t item) const override {
    return image_header(tree_->read(static_cast<std::size_t>(item)));
  }
  std::string name(std::int64_t item) const override { return entry(item).name; }
  std::string identity(std::int64_t item) const override { return std::to_string(entry(item).size); }

 private:
  const ArchiveEntry& entry(std::int64_t item) const {
    return tree_->entries().at(static_cast<std::size_t>(item));
  }
  std::shared_ptr<const FileTree> tree_;
  std::int64_t channels_;
};

std::string prefix_of(const std::string& split) {
  return split.empty() ? "" : split + "/";
}

// "cat" for train/cat/a.jpg and the prefix train/; "" when it does not lie in a class folder there.
std::string class_of(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return "";
  const auto slash = name.find('/', prefix.size());
  return slash == std::string::npos ? "" : name.substr(prefix.size(), slash - prefix.size());
}

class FolderReader {
 public:
  FolderReader(const DataConfig& config, const OpenedTree& opened) : config_(config), opened_(opened) {}

  Dataset read(WantedSplits wanted) {
    // The classes of train, so that a test folder without one of them does not shift the labels.
    std::set<std::string> names = picture_classes(config_.train);
    if (names.empty() && !wanted.train) names = picture_classes(config_.test);
    data_.classes.assign(names.begin(), names.end());
    if (static_cast<std::int64_t>(names.size()) > kMaxClasses)
      fail(ExitCode::bad_data, "{}: got {} class folders, at most {} are allowed", config_.path, names.size(),
           kMaxClasses);
    if (wanted.train) data_.train = items(config_.train);
    if (wanted.test) data_.test = items(config_.test);
    data_.channels = all_grey() ? 1 : 3;
    data_.store = std::make_shared<FolderStore>(opened_.tree, data_.channels);
    return std::move(data_);
  }

 private:
  std::set<std::string> picture_classes(const std::string& split) const {
    std::set<std::string> names;
    const auto look = [&](const std::string& name) {
      if (const auto c = class_of(name, prefix_of(split)); !c.empty() && is_picture_name(name))
        names.insert(c);
    };
    for (const auto& entry : opened_.tree->entries()) look(entry.name);
    for (const auto& name : opened_.others) look(name);
    return names;
  }

  // By class, then by name. Every class folder must hold a picture: a class that vanished would be noticed
  // by nobody.
  std::vector<LabelledItem> items(const std::string& split) {
    const std::string prefix = prefix_of(split);
    std::map<std::string, std::vector<std::int64_t>> found;
    const auto& entries = opened_.tree->entries();
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (const auto c = class_of(entries[i].name, prefix); !c.empty() && is_picture_name(entries[i].name))
        found[c].push_back(static_cast<std::int64_t>(i));
    for (const auto& name : opened_.others) {
      const auto c = class_of(name, prefix);
      if (c.empty()) continue;
      ++data_.ignored;
      if (!found.contains(c))
        fail(ExitCode::bad_data, "{}: the class folder '{}' holds no .jpg, .jpeg or .png file, but e.g. '{}'",
             config_.path, printable(prefix + c), printable(name));
    }
    if (found.empty()) no_class_folders(split);
    std::vector<LabelledItem> out;
    for (const auto& [name, members] : found) {
      const auto at = std::lower_bound(data_.classes.begin(), data_.classes.end(), name);
      if (at == data_.classes.end() || *at != name)
        fail(ExitCode::bad_data, "{}: the class '{}' of '{}' is not in '{}'{}", config_.path, printable(name),
             split, config_.train, suggestion(name, data_.classes));
      for (const auto item : members) out.push_back({item, at - data_.classes.begin()});
    }
    return out;
  }

  [[noreturn]] void no_class_folders(const std::string& split) const {
    std::set<std::string> tops;
    const auto look = [&](const std::string& name) {
      if (const auto slash = name.find('/'); slash != std::string::npos)
        tops.insert(printable(name.substr(0, slash)));
    };
    for (const auto& entry : opened_.tree->entries()) look(entry.name);
    for (const auto& name : opened_.others) look(name);
    const std::vector<std::string> known(tops.begin(), tops.end());
    fail(ExitCode::missing_input, "{}: no folder '{}' with class folders of pictures in it{}", config_.path,
         split, suggestion(split, known));
  }

  bool all_grey() const {
    constexpr std::size_t kLooks = 16;
    std::vector<std::int64_t> all;
    for (const auto* split : {&data_.train, &data_.test})
      for (const auto& item : *split) all.push_back(item.item);
    bool any = false;
    for (std::size_t k = 0; k < std::min(kLooks, all.size()); ++k) {
      Image image;
      try {
        image = decode_image(
            opened_.tree->read(static_cast<std::size_t>(all[k * all.size() / std::min(kLooks, all.size())])),
            3);
      } catch (const Error& e) {
        if (e.code() != ExitCode::bad_data) throw;
        continue;  // counted by the loader
      }
      any = true;
      for (std::size_t i = 0; i < image.pixels.size(); i += 3)
        if (image.pixels[i] != image.pixels[i + 1] || image.pixels[i] != image.pixels[i + 2]) return false;
    }
    return any;
  }

  const DataConfig& config_;
  const OpenedTree& opened_;
  Dataset data_;
};

}  // namespace

bool is_picture_name(const std::string& name) {
  const auto dot = name.rfind('.');
  if (dot == std::string::npos) return false;
  std::string extension = name.substr(dot);
  for (char& c : extension) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return extension == ".jpg" || extension == ".jpeg" || extension == ".png";
}

Dataset read_image_folder(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted) {
  return FolderReader(config, opened).read(wanted);
}

}  // namespace mgd
