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
  std::vector<std::string> others;  // the names that are there besides, in any order
};
OpenedTree open_tree(const DataConfig& config, WantedSplits wanted);
// imagefolder | cifar | idx, by the names inside. Throws Error(refused) for the Python version of CIFAR.
std::string detect_format(const OpenedTree& opened, const std::string& path);

std::string base_name(const std::string& name);  // "a/b.bin" -> "b.bin"
bool is_picture_name(const std::string& name);   // .jpg, .jpeg, .png in any case
bool is_cifar_name(const std::string& name);
bool is_idx_name(const std::string& name);

// Throws Error(missing_input): "PATH: no split 'tset'; did you mean 'test'?".
[[noreturn]] void no_such_split(const std::string& path, const std::string& split,
                                const std::vector<std::string>& known);

Dataset read_image_folder(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_cifar(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_idx_images(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_npz_images(const DataConfig& config, WantedSplits wanted);
Dataset read_csv_images(const DataConfig& config);

}  // namespace mgd
