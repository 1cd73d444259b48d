// Files: reading with a bound, writing so that a reader sees the old content or the new one and nothing
// between.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace mgd {

namespace fs = std::filesystem;

// Throws Error(missing_input) when nothing is there, Error(refused) when it is not a regular file (a FIFO, a
// device, a folder: reading one of those may never end).
void require_regular_file(const fs::path& path);

// The whole file. Throws like require_regular_file, Error(bad_data) above `max_bytes`, Error(io) when reading
// fails or the file is cut short while it is read.
std::string read_file(const fs::path& path, std::uint64_t max_bytes = std::uint64_t{1} << 34);

// Writes through a temporary file beside `path` (see staging.h), fsync, rename. Throws Error(cannot_create)
// when the folder cannot be written or a folder stands at `path`, and Error(io) when writing fails, with the
// bytes needed and free when the disk is full; the old content then stands and nothing half-written is left.
// Only when the very last step fails, the fsync of the folder, the new content stands and may be lost with
// the power.
void write_file_atomic(const fs::path& path, std::string_view bytes);

// Plain write and fsync into a folder that is itself published later (see publish.h).
void write_file_synced(const fs::path& path, std::string_view bytes);

void fsync_directory(const fs::path& path);

// The folder that holds `path`: "." for a bare name.
fs::path parent_of(const fs::path& path);

// SHA-256 in 64 lower-case hexadecimal digits. sha256_file throws like read_file.
std::string sha256_hex(std::string_view bytes);
std::string sha256_file(const fs::path& path);

}  // namespace mgd
