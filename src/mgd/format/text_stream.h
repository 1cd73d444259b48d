// A text file as a stream of its text, whatever lies around it.
#pragma once

#include <istream>
#include <memory>

#include "mgd/core/file.h"

namespace mgd {

// Files compressed by gzip, zstd, xz or bzip2 are unpacked as they are read, in bounded memory; by content,
// never by name. Throws Error(missing_input | refused) like require_regular_file, Error(io) when it cannot be
// read, and Error(bad_data) for what is no text: archives, UTF-16 and UTF-32 (with the command that converts
// them), formats of tables and documents, compressed files that are damaged (also later, when the damage is
// met).
std::unique_ptr<std::istream> open_text_stream(const fs::path& path);

// ".txt" of "a.txt.gz": the ending that says what a compressed or plain file holds.
std::string text_ending(const fs::path& path);

}  // namespace mgd
