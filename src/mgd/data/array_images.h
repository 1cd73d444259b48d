// Pictures that lie in memory as blocks of bytes: what CIFAR, IDX, .npz and .csv become.
#pragma once

#include "mgd/data/dataset.h"
#include "mgd/format/npy.h"

namespace mgd {

// One array of N pictures (N, Y, X, C) with its labels.
struct PictureBlock {
  std::string name;  // "train-images-idx3-ubyte": picture i is "NAME[i]"
  std::int64_t height = 0, width = 0, channels = 0;
  std::string pixels;
  std::vector<std::int64_t> labels;
};

// The shapes and values of open_images for .npz; `labels` is (N) or (N, 1) of whole numbers 0 ... kMaxClasses
// - 1. Throws Error(bad_data) with the place and the value.
PictureBlock picture_block(const NumberArray& pictures, const NumberArray& labels, const std::string& name);
// Only the labels.
std::vector<std::int64_t> read_labels(const NumberArray& labels, const std::string& name);

// Blocks in the order given; all must have the same number of channels. Empty `classes`: "0" ... "largest
// label" of the blocks, at least up to `max_label`.
struct ArrayDataset {
  std::vector<PictureBlock> train, test, validation;  // no validation: held out of train
  std::vector<std::string> classes;
  std::int64_t max_label = -1;
};
Dataset make_dataset(ArrayDataset arrays);

}  // namespace mgd
