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
// Every picture at any depth, without labels. The folders config.train, config.test and that of validation
// are the parts where they are there; otherwise all is train, and no test part is made.
Dataset read_unlabelled(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
// Whether all pictures lie right in the folder, so that nothing says a class.
bool lies_flat(const FileTree& tree);
// Every line of a text file names a picture, by a path from the file's folder; empty lines do not count.
// Throws Error(bad_data) for a line that comes twice or names no picture, Error(missing_input) for what is
// not there, each with its line.
std::unique_ptr<FileTree> open_list(const std::string& path);

Dataset read_cifar(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_idx_images(const DataConfig& config, const OpenedTree& opened, WantedSplits wanted);
Dataset read_npz_images(const DataConfig& config, WantedSplits wanted);
Dataset read_csv_images(const DataConfig& config, WantedSplits wanted);

}  // namespace mgd
