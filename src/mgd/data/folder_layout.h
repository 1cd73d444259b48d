// Which part of a folder or archive of pictures is train, validation and test, told by names alone.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "mgd/data/dataset.h"
#include "mgd/format/archive.h"

namespace mgd {

// Folders are given with their closing slash; "" is the root. A split holds class folders, these hold
// pictures.
struct FolderLayout {
  std::string root;                             // "photos/": the only folder at the top is passed over
  std::string train;                            // of nothing when test alone was wanted and there is no train
  std::optional<std::string> validation, test;  // folders of their own
  bool flat = false;                            // class folders without splits
  bool hold_out = false;                        // test is every fifth picture of each class of train
  std::vector<std::string> notes;
};

// Rules, in this order; everything that is not as the recipe says it is noted.
// - While there is one folder only at the top and no split of the recipe in it, the search goes on inside it.
// - `config.train` is there: it is train. Else, when no folder has the name of a split, the folders are
// classes
//   (flat), and test is held out. "." or "" as name of train says so.
// - `config.test` is there: it is test. A test of the default name that is not there is held out of train,
// or, when a
//   validation folder is there, does without.
// - `config.validation_split`: see DataConfig.
// Throws Error(missing_input) for a split that is not there, with those that could be meant, Error(usage) for
// two folders that could both be validation.
FolderLayout find_layout(const FileTree& tree, const DataConfig& config, WantedSplits wanted);

}  // namespace mgd
