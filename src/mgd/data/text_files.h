// Which files a split of a text dataset is.
#pragma once

#include <string>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

// The file, or the text files of the folder (.txt, .jsonl, .ndjson, .csv, .tsv; recursive, sorted by path),
// that `name` means inside `folder`: with or without its ending. Empty: there is none.
std::vector<fs::path> split_files(const fs::path& folder, const std::string& name);

// Names of files and folders inside, for messages; at most 20.
std::vector<std::string> names_in(const fs::path& folder);

}  // namespace mgd
