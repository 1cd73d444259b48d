// CIFAR's binary files, IDX pairs and .npz files.
#include <algorithm>
#include <map>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/array_images.h"
#include "mgd/data/array_names.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"
#include "mgd/format/cifar_binary.h"
#include "mgd/format/idx.h"
#include "mgd/format/npz.h"

namespace mgd {
namespace {

bool is_cifar10_train(const std::string& base) {
  return base.starts_with("data_batch_") && base.ends_with(".bin");
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  for (std::size_t at = 0; at < text.size();) {
    const auto end = std::min(text.find('\n', at), text.size());
    std::string line = text.substr(at, end - at);
    if (line.ends_with('\r')) line.pop_back();
    if (!line.empty()) lines.push_back(std::move(line));
    at = end + 1;
  }
  return lines;
}

// The only entry whose base name `test` accepts; entries().size() when there is none.
template <class Test>
std::size_t find_one(const DataConfig& config, const FileTree& tree, Test test) {
  const auto& entries = tree.entries();
  std::size_t found = entries.size();
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!test(base_name(entries[i].name))) continue;
    if (found < entries.size())
      fail(ExitCode::bad_data, "{}: both '{}' and '{}' are there; give data.path the folder of one of them",
           config.path, printable(entries[found].name), printable(entries[i].name));
    found = i;
  }
  return found;
}

class CifarReader {
 public:
  CifarReader(const DataConfig& config, const FileTree& tree) : config_(config), tree_(tree) {}

  Dataset read(WantedSplits wanted) {
    const auto any = [&](auto test) {
      return std::any_of(tree_.entries().begin(), tree_.entries().end(),
                         [&](auto& e) { return test(base_name(e.name)); });
    };
    const bool ten = any([](const std::string& b) { return is_cifar10_train(b) || b == "test_batch.bin"; });
    if (ten && any([](const std::string& b) { return b == "train.bin" || b == "test.bin"; }))
      fail(ExitCode::bad_data,
           "{}: holds both CIFAR-10 and CIFAR-100; give data.path the folder of one of them", config_.path);
    classes_ = ten ? 10 : 100;
    ArrayDataset arrays;
    if (wanted.train) arrays.train = blocks(config_.train);
    if (wanted.test) arrays.test = blocks(config_.test);
    arrays.classes = class_names();
    arrays.max_label = classes_ - 1;
    return make_dataset(std::move(arrays));
  }

 private:
  std::vector<PictureBlock> blocks(const std::string& split) const {
    if (split != "train" && split != "test") no_such_split(config_.path, split, {"test", "train"});
    const bool train = split == "train";
    std::map<std::string, PictureBlock> sorted;
    for (std::size_t i = 0; i < tree_.entries().size(); ++i) {
      const std::string& name = tree_.entries()[i].name;
      const std::string base = base_name(name);
      const bool mine = classes_ == 10 ? (train ? is_cifar10_train(base) : base == "test_batch.bin")
                                       : base == (train ? "train.bin" : "test.bin");
      if (!mine) continue;
      if (!sorted.emplace(base, block(i)).second)
        fail(ExitCode::bad_data, "{}: '{}' is there twice; give data.path the folder of one of them",
             config_.path, printable(base));
    }
    if (sorted.empty()) {
      fail(ExitCode::missing_input, "{}: no split '{}': expected {}", config_.path, split,
           classes_ == 10 ? (train ? "data_batch_1.bin ... data_batch_5.bin" : "test_batch.bin")
                          : (train ? "train.bin" : "test.bin"));
    }
    std::vector<PictureBlock> out;
    for (auto& [base, one] : sorted) out.push_back(std::move(one));
    return out;
  }

  PictureBlock block(std::size_t i) const {
    const std::string& name = tree_.entries()[i].name;
    CifarBatch batch = read_cifar_batch(tree_.read(i), classes_, config_.path + ": " + printable(name));
    PictureBlock out{.name = name, .height = 32, .width = 32, .channels = 3};
    out.pixels.reserve(batch.pixels.size());
    for (std::size_t k = 0; k < batch.labels.size(); ++k) {
      const Image image = batch.image(static_cast<std::int64_t>(k));
      out.pixels.append(image.pixels.begin(), image.pixels.end());
    }
    out.labels = std::move(batch.labels);
    return out;
  }

  // From the file of names that comes with the data; CIFAR-10's are known without it.
  std::vector<std::string> class_names() const {
    const auto wanted = classes_ == 10 ? "batches.meta.txt" : "fine_label_names.txt";
    const auto at = find_one(config_, tree_, [&](const std::string& base) { return base == wanted; });
    if (at < tree_.entries().size()) {
      auto names = lines_of(tree_.read(at));
      if (static_cast<std::int64_t>(names.size()) != classes_)
        fail(ExitCode::bad_data, "{}: {}: got {} names, expected {}", config_.path, wanted, names.size(),
             classes_);
      return names;
    }
    if (classes_ == 100) return {};
    return {"airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"};
  }

  const DataConfig& config_;
  const FileTree& tree_;
  std::int64_t classes_ = 10;
};

// SPLIT and what it holds, of "emnist-letters-train-images-idx3-ubyte.gz" or "t10k-labels.idx1-ubyte":
// "train" and "images". Empty for any other name.
struct IdxName {
  std::string split, what;
};
IdxName idx_name(std::string base) {
  if (base.ends_with(".gz")) base.resize(base.size() - 3);
  if (!base.ends_with("-ubyte") || base.size() < 12) return {};
  base.resize(base.size() - 6);
  if (base.compare(base.size() - 5, 4, "-idx") != 0 && base.compare(base.size() - 5, 4, ".idx") != 0)
    return {};
  base.resize(base.size() - 5);
  for (const std::string what : {"images", "labels"}) {
    if (!base.ends_with("-" + what)) continue;
    std::string split = base.substr(0, base.size() - what.size() - 1);
    if (const auto dash = split.rfind('-'); dash != std::string::npos) split.erase(0, dash + 1);
    return {split == "t10k" ? "test" : split, what};
  }
  return {};
}

class IdxReader {
 public:
  IdxReader(const DataConfig& config, const FileTree& tree) : config_(config), tree_(tree) {}

  Dataset read(WantedSplits wanted) {
    ArrayDataset arrays;
    std::vector<std::string> notes;
    const std::string validation = validation_name(config_, splits(), notes);
    if (wanted.train) arrays.train.push_back(block(config_.train));
    if (wanted.train && !validation.empty()) arrays.validation.push_back(block(validation));
    if (wanted.test) arrays.test.push_back(block(config_.test));
    // The classes are those of train also for who wants only the test.
    const auto labels = find(config_.train, "labels");
    if (!wanted.train && labels < tree_.entries().size())
      for (const auto label : read_labels(array(labels), where(labels)))
        arrays.max_label = std::max(arrays.max_label, label);
    Dataset data = make_dataset(std::move(arrays));
    data.notes = std::move(notes);
    return data;
  }

 private:
  std::vector<std::string> splits() const {
    std::vector<std::string> known;
    for (const auto& entry : tree_.entries())
      if (const auto name = idx_name(base_name(entry.name)); name.what == "images")
        known.push_back(name.split);
    return known;
  }
  std::size_t find(const std::string& split, const std::string& what) const {
    return find_one(config_, tree_, [&](const std::string& base) {
      const IdxName name = idx_name(base);
      return name.what == what && name.split == (split == "t10k" ? "test" : split);
    });
  }
  std::string where(std::size_t i) const { return config_.path + ": " + printable(tree_.entries()[i].name); }
  NumberArray array(std::size_t i) const { return read_idx(tree_.read(i), where(i)); }

  PictureBlock block(const std::string& split) const {
    const auto images = find(split, "images"), labels = find(split, "labels"), none = tree_.entries().size();
    if (images == none) no_such_split(config_.path, split, splits());
    if (labels == none)
      fail(ExitCode::missing_input,
           "{}: '{}' is there without its labels, expected e.g. '{}-labels-idx1-ubyte'", config_.path,
           printable(tree_.entries()[images].name), split);
    return picture_block(array(images), array(labels), printable(tree_.entries()[images].name));
  }

  const DataConfig& config_;
  const FileTree& tree_;
};

}  // namespace

bool is_cifar_name(const std::string& name) {
  const std::string base = base_name(name);
  return is_cifar10_train(base) || base == "test_batch.bin" || base == "train.bin" || base == "test.bin" ||
         base == "batches.meta.txt" || base == "fine_label_names.txt";
}

bool is_idx_name(const std::string& name) {
  return !idx_name(base_name(name)).what.empty();
}

Dataset read_cifar(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted) {
  return CifarReader(config, *opened.tree).read(wanted);
}

Dataset read_idx_images(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted) {
  return IdxReader(config, *opened.tree).read(wanted);
}

Dataset read_npz_images(const DataConfig& config, WantedSplits wanted) {
  const Arrays all = read_npz(read_file(config.path), config.path);
  const std::vector<std::string> known = splits_of(all);
  const auto block = [&](const ArrayPair& pair) {
    return picture_block(all.at(pair.pictures), all.at(pair.labels), config.path + ": " + pair.pictures);
  };
  const auto of_split = [&](const std::string& split) {
    const ArrayPair pair = find_pair(all, split);
    if (!pair.found()) no_such_split(config.path, split, known);
    return block(pair);
  };
  const bool split_less = known.empty();
  if (split_less && !find_pair(all, "").found()) {
    std::string names;
    for (const auto& [name, array] : all) names += (names.empty() ? "" : ", ") + printable(name);
    fail(ExitCode::bad_data,
         "{}: no pair of pictures and labels among its arrays ({}), expected e.g. x_{} and y_{}, or "
         "{}_images and "
         "{}_labels",
         config.path, names, config.train, config.train, config.train, config.train);
  }
  ArrayDataset arrays;
  std::vector<std::string> notes;
  if (split_less) {
    arrays.train.push_back(block(find_pair(all, "")));
  } else {
    if (wanted.train) arrays.train.push_back(of_split(config.train));
    if (wanted.test) arrays.test.push_back(of_split(config.test));
    const std::string validation = validation_name(config, known, notes);
    if (wanted.train && !validation.empty()) arrays.validation.push_back(of_split(validation));
    if (const ArrayPair pair = find_pair(all, config.train); !wanted.train && pair.found())
      for (const auto label : read_labels(all.at(pair.labels), config.path + ": " + pair.labels))
        arrays.max_label = std::max(arrays.max_label, label);
  }
  Dataset data = make_dataset(std::move(arrays));
  if (split_less) {
    for (const auto& name : {config.train, config.test})
      if (!name.empty() && name != "train" && name != "test")
        no_such_split(config.path, name, {"test", "train"});
    hold_out_test(data, config.train, config.test);
    notes.emplace_back("arrays without splits: every fifth picture of each class is the test part");
  }
  data.notes = std::move(notes);
  return data;
}

}  // namespace mgd
