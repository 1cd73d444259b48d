// Pictures of which nobody says what they show.
#include <algorithm>
#include <set>

#include "mgd/core/error.h"
#include "mgd/data/folder_store.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/sources.h"

namespace mgd {
namespace {

bool names_root(const std::string& split) {
  return split.empty() || split == ".";
}

class UnlabelledReader {
 public:
  UnlabelledReader(const DataConfig& config, std::shared_ptr<const FileTree> tree)
      : config_(config), tree_(std::move(tree)) {}

  Dataset read(WantedSplits wanted) {
    pass_over_single_folders();
    const std::vector<std::string> tops(tops_.begin(), tops_.end());
    const bool sorted = !names_root(config_.train) && tops_.contains(config_.train);
    if (!sorted && !names_root(config_.train) && config_.train != "train")
      no_such_split(config_.path, config_.train, tops);
    const std::string validation = validation_name(config_, tops, data_.notes);
    const bool test = !names_root(config_.test) && tops_.contains(config_.test);
    if (!test && !names_root(config_.test) && (config_.test != "test" || !wanted.train))
      no_such_split(config_.path, config_.test, tops);
    data_.has_test = test;
    if (!validation.empty()) data_.validation.emplace();
    const auto part_of = [&](const std::string& top) {
      if (!validation.empty() && top == validation) return wanted.train ? &*data_.validation : nullptr;
      if (test && top == config_.test) return wanted.test ? &data_.test : nullptr;
      return wanted.train && (!sorted || top == config_.train) ? &data_.train : nullptr;
    };
    for (std::size_t i = 0; i < tree_->entries().size(); ++i) {
      const std::string& name = tree_->entries()[i].name;
      if (!is_picture_name(name)) {
        count_other(name);
      } else if (auto* part = part_of(top_of(name))) {
        part->push_back({.item = static_cast<std::int64_t>(i), .label = -1});
      } else {
        ++data_.unused["pictures in '" + top_of(name) + "'"];
      }
    }
    for (const std::string& name : tree_->others()) count_other(name);
    data_.notes.emplace_back(
        "no labels: the pictures are taken as they lie, whatever their folders are called");
    open_store(data_, config_, tree_);
    return std::move(data_);
  }

 private:
  // The folder below the root that it lies in; "" when it lies right there.
  std::string top_of(const std::string& name) const {
    const auto slash = name.find('/', root_.size());
    return slash == std::string::npos ? "" : name.substr(root_.size(), slash - root_.size());
  }

  void count_other(const std::string& name) {
    ++data_.unused[ending_of(name).empty() ? "without an ending" : ending_of(name)];
  }

  void pass_over_single_folders() {
    constexpr int kMost = 8;
    for (int i = 0; i < kMost; ++i) {
      tops_.clear();
      for (const ArchiveEntry& entry : tree_->entries())
        if (is_picture_name(entry.name)) tops_.insert(top_of(entry.name));
      if (tops_.size() != 1 || tops_.begin()->empty() || *tops_.begin() == config_.train) break;
      root_ += *tops_.begin() + "/";
    }
    tops_.erase("");
  }

  const DataConfig& config_;
  std::shared_ptr<const FileTree> tree_;
  std::string root_;
  std::set<std::string> tops_;
  Dataset data_;
};

}  // namespace

bool lies_flat(const FileTree& tree) {
  bool any = false;
  for (const ArchiveEntry& entry : tree.entries()) {
    if (!is_picture_name(entry.name)) continue;
    if (entry.name.find('/') != std::string::npos) return false;
    any = true;
  }
  return any;
}

Dataset read_unlabelled(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted) {
  return UnlabelledReader(config, opened.tree).read(wanted);
}

}  // namespace mgd
