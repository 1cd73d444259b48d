// Pictures that lie as files in a folder or an archive.
#pragma once

#include <memory>

#include "mgd/data/dataset.h"
#include "mgd/format/archive.h"

namespace mgd {

// Sets data.store, in which item i is entry i of the tree, and data.channels: config.channels, or else 1 when
// the headers of all items of all parts say that they are grey, 3 otherwise.
void open_store(Dataset& data, const DataConfig& config, std::shared_ptr<const FileTree> tree);

}  // namespace mgd
