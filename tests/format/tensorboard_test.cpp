#include "mgd/format/tensorboard.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "mgd/core/error.h"

namespace mgd {
namespace {

TEST(TensorBoard, Crc32cKnownAnswer) {
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);  // RFC 3720, B.4
}

// MGD_KEEP_EVENTS=FOLDER leaves the file for scripts/check_tensorboard.py.
TEST(TensorBoard, FileStartsWithItsVersion) {
  const char* keep = std::getenv("MGD_KEEP_EVENTS");
  const std::filesystem::path folder =
      keep != nullptr ? keep : testing::TempDir() + "/mgd_events_" + std::to_string(::getpid());
  std::filesystem::create_directories(folder);
  EventWriter writer(folder);
  for (int step = 0; step < 3; ++step) writer.add_scalar("train/loss", 0.5 * step, 10 * step, 1.5e9 + step);
  writer.flush();
  std::ifstream file(writer.path(), std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  EXPECT_EQ(bytes.substr(0, 8), std::string("\x18\0\0\0\0\0\0\0", 8));
  EXPECT_EQ(bytes.substr(21, 15),
            "\x1a\x0d"
            "brain.Event:2");
  if (keep == nullptr) std::filesystem::remove_all(folder);
  EXPECT_THROW(EventWriter("/nowhere/at/all"), Error);
}

}  // namespace
}  // namespace mgd
