// What people call the arrays of a .npz: which holds the pictures of a split, and which their labels.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/format/npy.h"

namespace mgd {

using Arrays = std::map<std::string, NumberArray>;

struct ArrayPair {
  std::string pictures, labels;  // names; empty: not there
  bool found() const { return !pictures.empty(); }
};

// x_SPLIT and y_SPLIT (Keras), SPLIT_images and SPLIT_labels (MedMNIST), and their relatives, upper case too;
// an empty `split`: x and y, images and labels, data and target, without any split.
ArrayPair find_pair(const Arrays& arrays, const std::string& split);

// The splits for which there is a pair, by name.
std::vector<std::string> splits_of(const Arrays& arrays);

}  // namespace mgd
