#include "mgd/data/folder_layout.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>

#include "mgd/core/error.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/sources.h"

namespace mgd {
namespace {

constexpr std::array<std::string_view, 4> kValidation = {"val", "valid", "validation", "dev"};
constexpr std::array<std::string_view, 5> kTrain = {"train", "training", "trn", "training_set", "train_set"};
constexpr std::array<std::string_view, 7> kTest = {"test",     "testing",     "tst",       "eval",
                                                   "test_set", "testing_set", "evaluation"};

template <std::size_t N>
bool is_one_of(const std::array<std::string_view, N>& names, const std::string& name) {
  std::string small = name;
  for (char& c : small) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return std::find(names.begin(), names.end(), small) != names.end();
}

// Of the folders at one place: how many pictures lie right in them and how many deeper.
struct Counts {
  std::int64_t direct = 0, deeper = 0;
};

class Finder {
 public:
  Finder(const FileTree& tree, const DataConfig& config, WantedSplits wanted)
      : tree_(tree), config_(config), wanted_(wanted) {}

  FolderLayout find() {
    pass_over_single_folders();
    flat_ = names_root(config_.train) || !(has(config_.train) || (!wanted_.train && has(config_.test)));
    if (flat_) return find_flat();
    layout_.train = folder(config_.train);
    find_validation();
    if (!wanted_.train) layout_.notes.clear();  // a measure has no use for it
    if (wanted_.test) find_test();
    return std::move(layout_);
  }

 private:
  static bool names_root(const std::string& split) { return split.empty() || split == "."; }
  std::string folder(const std::string& split) const {
    return layout_.root + (names_root(split) ? "" : split + "/");
  }

  template <class Look>
  void for_each_picture(Look look) const {
    for (const auto& entry : tree_.entries())
      if (is_picture_name(entry.name)) look(entry.name);
    for (const auto& name : tree_.others())
      if (is_picture_name(name)) look(name);
  }

  // The folders right below `prefix` that hold pictures.
  std::map<std::string, Counts> folders_below(const std::string& prefix) const {
    std::map<std::string, Counts> found;
    for_each_picture([&](const std::string& name) {
      if (!name.starts_with(prefix)) return;
      const auto slash = name.find('/', prefix.size());
      if (slash == std::string::npos) return;
      Counts& counts = found[name.substr(prefix.size(), slash - prefix.size())];
      ++(name.find('/', slash + 1) == std::string::npos ? counts.direct : counts.deeper);
    });
    return found;
  }

  // Whether class folders with pictures lie in this split.
  bool has(const std::string& split) const {
    if (names_root(split)) return !top_.empty();
    if (const auto at = top_.find(split); at != top_.end()) return at->second.deeper > 0;
    return split.find('/') != std::string::npos && !folders_below(folder(split)).empty();
  }

  void pass_over_single_folders() {
    constexpr int kMost = 8;
    for (int i = 0; i < kMost; ++i) {
      top_ = folders_below(layout_.root);
      const bool done =
          !names_root(config_.train) && (has(config_.train) || (!config_.test.empty() && has(config_.test)));
      if (done || top_.size() != 1 || top_.begin()->second.direct > 0) return;
      // One folder of one folder of pictures is one class: the search would end at nothing.
      layout_.root += top_.begin()->first + "/";
    }
  }

  FolderLayout find_flat() {
    std::vector<std::string> splits, bare;
    for (const auto& [name, counts] : top_)
      if (is_one_of(kTrain, name) || is_one_of(kTest, name) || is_one_of(kValidation, name))
        (counts.deeper > 0 ? splits : bare).push_back(name);
    // A train among the buses is a class; beside a test it is a split that somebody forgot to sort.
    if (bare.size() >= 2 || (bare.size() == 1 && top_.size() == 1))
      fail(ExitCode::bad_data, "{}: '{}' holds pictures, but no class folders: expected {}/CLASS/PICTURE",
           config_.path, printable(layout_.root + bare[0]), printable(bare[0]));
    const bool asked = names_root(config_.train);
    if (!asked && (config_.train != "train" || !splits.empty() || !deeper_places(config_.train).empty()))
      refuse_missing(config_.train, "train", kTrain);
    layout_.flat = true;
    layout_.train = layout_.root;
    if (!wanted_.test) return std::move(layout_);
    if (names_root(config_.test)) {
      layout_.test = layout_.root;
    } else if (config_.test == "test" || config_.test == "train") {
      layout_.hold_out = true;
      note("class folders without splits: every fifth picture of each class is the test part");
    } else {
      refuse_missing(config_.test, "test", kTest);
    }
    return std::move(layout_);
  }

  void find_validation() {
    std::vector<std::string> known;
    for (const auto& [name, counts] : top_)
      if (counts.deeper > 0) known.push_back(name);
    const std::string& wanted = config_.validation_split;
    if (!wanted.empty() && wanted != "auto") {
      if (!has(wanted)) refuse_missing(wanted, "validation_split", kValidation);
      layout_.validation = folder(wanted);
    } else if (const std::string found = validation_name(config_, known, layout_.notes); !found.empty()) {
      layout_.validation = folder(found);
    }
  }

  void find_test() {
    if (has(config_.test)) {
      layout_.test = folder(config_.test);
      return;
    }
    const bool empty_one =
        std::binary_search(tree_.folders().begin(), tree_.folders().end(), layout_.root + "test");
    const bool usual =
        empty_one || std::any_of(top_.begin(), top_.end(), [](auto& t) { return is_one_of(kTest, t.first); });
    if (config_.test != "test" || usual || (!wanted_.train && layout_.validation))
      refuse_missing(config_.test, "test", kTest);
    if (layout_.validation) {
      note("no folder 'test': figures are those of the validation part; data.test names another folder");
      return;
    }
    layout_.hold_out = true;
    note("no folder 'test': every fifth picture of each class of train is the test part");
  }

  void note(std::string text) { layout_.notes.push_back(std::move(text)); }

  // What could be meant: a folder with one of the usual names, a path that ends in the name, a near name.
  template <std::size_t N>
  [[noreturn]] void refuse_missing(const std::string& split, const char* key,
                                   const std::array<std::string_view, N>& usual) const {
    std::vector<std::string> known, tops;
    for (const auto& [name, counts] : top_) {
      tops.push_back(printable(layout_.root + name));
      if (counts.deeper > 0) known.push_back(printable(name));
      if (counts.deeper > 0 && name != config_.train && name != config_.test && is_one_of(usual, name))
        fail(ExitCode::missing_input,
             "{}: no folder '{}' with class folders of pictures in it; '{}' is there: data.{}={}{}",
             config_.path, split, printable(name), key, printable(name),
             std::string_view(key) == "test" ? fmt::format(" (eval: --split {})", printable(name)) : "");
    }
    const auto deeper = deeper_places(split);
    if (deeper.size() == 1)
      fail(ExitCode::missing_input,
           "{}: no folder '{}' with class folders of pictures in it; it lies in '{}': give that "
           "folder as data.path, or data.{}={}/{}",
           config_.path, split, printable(*deeper.begin()), key, printable(*deeper.begin()), split);
    std::string way_out = suggestion(split, known.empty() ? tops : known);
    if (const auto at = top_.find(split); at != top_.end() && at->second.direct > 0)
      way_out = "; pictures lie right in it";
    if (std::string_view(key) == "test") way_out += "; an empty data.test does without";
    if (std::string_view(key) == "train") way_out += "; data.train=. takes the folders at the top as classes";
    fail(ExitCode::missing_input, "{}: no folder '{}' with class folders of pictures in it{}", config_.path,
         split, way_out);
  }

  // The folders below the top in which a split of this name lies.
  std::set<std::string> deeper_places(const std::string& split) const {
    std::set<std::string> places;
    const std::string part = "/" + split + "/";
    for_each_picture([&](const std::string& name) {
      const auto at = name.find(part, layout_.root.size());
      if (at != std::string::npos && name.find('/', at + part.size()) != std::string::npos)
        places.insert(name.substr(0, at));
    });
    return places;
  }

  const FileTree& tree_;
  const DataConfig& config_;
  WantedSplits wanted_;
  FolderLayout layout_;
  bool flat_ = false;
  std::map<std::string, Counts> top_;  // the folders right below the root
};

}  // namespace

std::string validation_name(const DataConfig& config, const std::vector<std::string>& known,
                            std::vector<std::string>& notes) {
  if (config.validation_split.empty()) return "";
  std::vector<std::string> found;
  for (const auto& name : known)
    if (config.validation_split == "auto"
            ? is_one_of(kValidation, name) && name != config.train && name != config.test
            : name == config.validation_split)
      found.push_back(name);
  if (found.empty() && config.validation_split != "auto")
    no_such_split(config.path, config.validation_split, known);
  if (found.size() > 1)
    fail(ExitCode::usage,
         "{}: both '{}' and '{}' could be the validation part; choose with data.validation_split={}",
         config.path, printable(found[0]), printable(found[1]), printable(found[0]));
  if (found.empty()) return "";
  if (config.validation == 0 && config.validation_split == "auto") {
    notes.emplace_back(fmt::format("'{}' is not used, as data.validation is 0", printable(found[0])));
    return "";
  }
  notes.emplace_back(fmt::format("'{}' is the validation part (data.validation_split)", printable(found[0])));
  return found[0];
}

FolderLayout find_layout(const FileTree& tree, const DataConfig& config, WantedSplits wanted) {
  return Finder(tree, config, wanted).find();
}

}  // namespace mgd
