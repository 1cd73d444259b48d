// Damage to a file on disk.
#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <fstream>

namespace mgd {

// The lowest bit of the byte at `offset`; a negative one counts from the end. Whatever stood there, the file
// is another one afterwards.
inline void flip_bit(const std::filesystem::path& path, std::int64_t offset) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto place =
      offset < 0 ? static_cast<std::int64_t>(std::filesystem::file_size(path)) + offset : offset;
  file.seekg(place);
  const int byte = file.get();
  file.seekp(place);
  file.put(static_cast<char>(byte ^ 1));
  ASSERT_TRUE(file.flush()) << path << " at " << offset;
}

}  // namespace mgd
