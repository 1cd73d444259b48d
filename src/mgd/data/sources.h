// The readers of the formats, for the list in open_images.cpp.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/data/dataset.h"
#include "mgd/format/archive.h"

namespace mgd {

// "imagefolder" stands for any folder or archive: what it holds shows only when it is open. Throws
// Error(missing_input) when nothing is there, Error(bad_data) for what no reader takes, Error(refused) for a
// pickle.
std::string detect_format(const std::string& path);

// A folder or archive, opened once: readable are the entries that some reader could want.
struct OpenedTree {
  std::shared_ptr<const FileTree> tree;
};
OpenedTree open_tree(const DataConfig& config, WantedSplits wanted);
// imagefolder | cifar | idx, by the names inside. Throws Error(refused) for the Python version of CIFAR.
std::string detect_format(const OpenedTree& opened, const std::string& path);

bool is_cifar_name(const std::string& name);
bool is_idx_name(const std::string& name);

// Throws Error(missing_input): "PATH: no split 'tset'; did you mean 'test'?".
[[noreturn]] void no_such_split(const std::string& path, const std::string& split,
                                const std::vector<std::string>& known);

// Which of the splits `known` is the validation part by DataConfig::validation_split, with a note; "" = none,
// it is held out of train. Throws Error(missing_input) for one that is not there, Error(usage) when two could
// be it.
std::string validation_name(const DataConfig& config, const std::vector<std::string>& known,
                            std::vector<std::string>& notes);

Dataset read_image_folder(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_cifar(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_idx_images(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_npz_images(const DataConfig& config, WantedSplits wanted);
Dataset read_csv_images(const DataConfig& config, WantedSplits wanted);

}  // namespace mgd
