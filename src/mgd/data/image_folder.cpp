// SPLIT/CLASS/picture, or CLASS/picture, in a folder or an archive.
#include <algorithm>
#include <map>
#include <set>

#include "mgd/core/error.h"
#include "mgd/data/folder_layout.h"
#include "mgd/data/folder_store.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/source_lines.h"
#include "mgd/data/sources.h"
#include "mgd/format/composed_name.h"

namespace mgd {
namespace {

// The folder that name/a.jpg lies in below the prefix: "cat" for train/cat/a.jpg and train/; "" when it lies
// in none there.
std::string folder_of(const std::string& name, const std::string& prefix) {
  if (!name.starts_with(prefix)) return "";
  const auto slash = name.find('/', prefix.size());
  return slash == std::string::npos ? "" : name.substr(prefix.size(), slash - prefix.size());
}

// The class that the name of its folder stands for.
std::string class_of(const std::string& name, const std::string& prefix) {
  return composed_name(folder_of(name, prefix));
}

class FolderReader {
 public:
  FolderReader(const DataConfig& config, std::shared_ptr<const FileTree> tree, FolderLayout layout)
      : config_(config), tree_(std::move(tree)), layout_(std::move(layout)) {}

  Dataset read(WantedSplits wanted) {
    data_.notes = layout_.notes;
    count_unused();
    note_spellings();
    // The classes of train, so that a test folder without one of them does not shift the labels.
    std::set<std::string> names = picture_classes(layout_.train);
    if (names.empty() && !wanted.train && layout_.test) names = picture_classes(*layout_.test);
    data_.classes.assign(names.begin(), names.end());
    if (static_cast<std::int64_t>(names.size()) > kMaxClasses)
      fail(ExitCode::bad_data, "{}: got {} class folders, at most {} are allowed", config_.path, names.size(),
           kMaxClasses);
    if (wanted.train || names.empty()) require_classes(data_, config_.path, hint());
    if (wanted.train || layout_.hold_out) data_.train = items(layout_.train);
    if (wanted.train && layout_.validation) data_.validation = items(*layout_.validation);
    if (wanted.test && layout_.test) data_.test = items(*layout_.test);
    if (layout_.hold_out) hold_out_test(data_, config_.train, config_.test);
    data_.has_test = layout_.test || layout_.hold_out;
    open_store(data_, config_, tree_);
    return std::move(data_);
  }

 private:
  template <class Look>
  void for_each_name(Look look) const {
    for (const auto& entry : tree_->entries()) look(entry.name);
    for (const auto& name : tree_->others()) look(name);
  }

  std::set<std::string> picture_classes(const std::string& prefix) const {
    std::set<std::string> names;
    for_each_name([&](const std::string& name) {
      if (const auto c = class_of(name, prefix); !c.empty() && is_picture_name(name)) names.insert(c);
    });
    return names;
  }

  // By class, then by name. Every class folder must hold a picture: a class that vanished would be noticed
  // by nobody.
  std::vector<LabelledItem> items(const std::string& prefix) const {
    std::map<std::string, std::vector<std::int64_t>> found;
    const auto& entries = tree_->entries();
    for (std::size_t i = 0; i < entries.size(); ++i)
      if (const auto c = class_of(entries[i].name, prefix); !c.empty() && is_picture_name(entries[i].name))
        found[c].push_back(static_cast<std::int64_t>(i));
    for_each_name([&](const std::string& name) {
      if (const auto c = class_of(name, prefix); !c.empty() && !found.contains(c))
        fail(ExitCode::bad_data, "{}: the class folder '{}' holds no picture ({}), but e.g. '{}'",
             config_.path, printable(prefix + c), picture_endings(), printable(name));
    });
    for (const auto& name : tree_->folders())
      if (const auto c = class_of(name + "/", prefix); !c.empty() && !found.contains(c))
        fail(ExitCode::bad_data, "{}: the class folder '{}' is empty; fill it or remove it", config_.path,
             printable(prefix + c));
    std::vector<LabelledItem> out;
    for (const auto& [name, members] : found) {
      const auto at = std::lower_bound(data_.classes.begin(), data_.classes.end(), name);
      if (at == data_.classes.end() || *at != name)
        fail(ExitCode::bad_data, "{}: the class '{}' of '{}' is not in '{}'{}", config_.path, printable(name),
             printable(prefix), printable(layout_.train), suggestion(name, data_.classes));
      for (const auto item : members) out.push_back({item, at - data_.classes.begin()});
    }
    return out;
  }

  // Why there are fewer than two classes: folders lie one level too deep, or the path is one too deep.
  std::string hint() const {
    bool any = false;
    for_each_name([&](const std::string& name) { any = any || is_picture_name(name); });
    if (!any)
      return fmt::format("; expected CLASS/PICTURE ({}){}", picture_endings(),
                         data_.unused.empty() ? ", got nothing" : ", got " + unused_text(data_.unused));
    if (data_.classes.empty())
      return "; pictures lie right in the folder: expected a folder for each class, so give the folder above "
             "this one, "
             "sort them, or take them without labels: data.labels=none";
    const std::string folder = layout_.train + data_.classes[0] + "/";
    std::vector<std::string> inside;
    for (const auto& name : picture_classes(folder)) inside.push_back(printable(name));
    if (inside.size() < 2)
      return "; expected a folder for each class: give the folder above this one, add the other classes, or "
             "take the pictures without labels: data.labels=none";
    inside.resize(2);
    const std::string wanted =
        printable(folder.substr(layout_.root.size(), folder.size() - layout_.root.size() - 1));
    return fmt::format(
        "; its folders '{}', '{}' look like classes, one level deeper: data.train={}; or take the "
        "pictures without labels: data.labels=none",
        inside[0], inside[1], wanted);
  }

  // Two folders whose names look the same are one class.
  void note_spellings() {
    std::map<std::string, std::set<std::string>> folders;
    for_each_name([&](const std::string& name) {
      if (const auto c = class_of(name, layout_.train); !c.empty() && is_picture_name(name))
        folders[c].insert(folder_of(name, layout_.train));
    });
    for (const auto& [name, spellings] : folders)
      if (spellings.size() > 1)
        data_.notes.push_back(
            fmt::format("{} folders are called '{}', in different forms of Unicode, and are one class",
                        spellings.size(), printable(name)));
  }

  void count_unused() {
    std::vector<std::string> used = {layout_.train};
    for (const auto& split : {layout_.validation, layout_.test})
      if (split) used.push_back(*split);
    for_each_name([&](const std::string& name) {
      if (!is_picture_name(name)) {
        const std::string ending = ending_of(name);
        ++data_.unused[ending.empty() ? "without an ending" : ending];
      } else if (std::none_of(used.begin(), used.end(),
                              [&](auto& u) { return !class_of(name, u).empty(); })) {
        const std::string top = class_of(name, layout_.root);
        ++data_.unused[top.empty() ? "pictures in no class folder" : "pictures in '" + top + "'"];
      }
    });
  }

  const DataConfig& config_;
  std::shared_ptr<const FileTree> tree_;
  FolderLayout layout_;
  Dataset data_;
};

}  // namespace

Dataset read_image_folder(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted) {
  std::shared_ptr<const FileTree> tree = opened.tree;
  FolderLayout layout = find_layout(*tree, config, wanted);
  // A guess by names alone said what to hold in memory; the layout knows better.
  const auto needed = [&](const std::string& name) {
    const auto in = [&](const std::string& prefix) { return !class_of(name, prefix).empty(); };
    return is_picture_name(name) && (((wanted.train || layout.hold_out) && in(layout.train)) ||
                                     (wanted.train && layout.validation && in(*layout.validation)) ||
                                     (wanted.test && layout.test && in(*layout.test)));
  };
  if (std::any_of(tree->others().begin(), tree->others().end(), needed))
    tree = open_file_tree(config.path, needed);
  return FolderReader(config, tree, std::move(layout)).read(wanted);
}

}  // namespace mgd
