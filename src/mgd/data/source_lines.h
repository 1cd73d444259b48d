// What a person should know of the data, as lines for the console: nothing is left out in silence.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "mgd/data/image_source.h"
#include "mgd/data/text_dataset.h"

namespace mgd {

// "3 .txt, 12 pictures in 'extra'".
std::string unused_text(const std::map<std::string, std::int64_t>& unused);

// The notes of a source and the files that it does not use.
std::vector<std::string> source_lines(const ImageSource& source);

// "2 of 60 samples could not be read and were left out:" and a line for each of the first few; empty for
// none. `corrupt` holds what was wrong by name; `fate` says what became of them.
std::vector<std::string> unread_lines(const std::map<std::string, std::string>& corrupt, std::int64_t samples,
                                      const std::string& fate);
// The same for documents of texts, of which only the first are named.
std::vector<std::string> unread_lines(const UnreadDocuments& unread);

}  // namespace mgd
