// Which files a split of a text dataset is.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "mgd/core/file.h"

namespace mgd {

// The file, or the text files of the folder (.txt, .jsonl, .ndjson, .csv, .tsv, also compressed: .txt.gz,
// .csv.zst; recursive, sorted by path), that `name` means inside `folder`: with or without its ending. Empty:
// there is none. `unread`, where given, counts the other files of the folder by their ending.
std::vector<fs::path> split_files(const fs::path& folder, const std::string& name,
                                  std::map<std::string, std::int64_t>* unread = nullptr);

// Names of files and folders inside, for messages; at most 20.
std::vector<std::string> names_in(const fs::path& folder);

}  // namespace mgd
