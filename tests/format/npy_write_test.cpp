#include "mgd/format/npy_write.h"

#include <gtest/gtest.h>

namespace mgd {
namespace {

TEST(NpyWrite, ReadsBack) {
  for (const auto& shape : std::vector<std::vector<std::int64_t>>{{}, {3}, {2, 3}, {0, 4}, {1, 2, 3, 4}}) {
    std::uint64_t count = 1;
    for (const auto dim : shape) count *= static_cast<std::uint64_t>(dim);
    for (const std::string dtype : {"f4", "u1", "i8"}) {
      const std::string bytes(count * static_cast<std::uint64_t>(dtype.back() - '0'), 'x');
      const std::string head = npy_header(dtype, shape);
      EXPECT_EQ(head.size() % 64, 0U);
      const NumberArray array = read_npy(head + bytes, "test");
      EXPECT_EQ(array.shape, shape);
      EXPECT_EQ(array.dtype, dtype);
      EXPECT_EQ(array.bytes, bytes);
    }
  }
}

}  // namespace
}  // namespace mgd
