#include "mgd/core/memory.h"

#include <gmock/gmock.h>
#include <sys/resource.h>

#include <new>
#include <stdexcept>
#include <string>

namespace mgd {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

TEST(Memory, ShortageTellsTheBytesWhenTheyAreKnown) {
  // LibTorch 2.13's words, on Linux and elsewhere, and those of CUDA.
  const std::runtime_error torch(
      "[enforce fail at alloc_cpu.cpp:127] err == 0. DefaultCPUAllocator: can't allocate memory: you tried "
      "to allocate "
      "12582912 bytes. Error code 12 (Cannot allocate memory)\nframe #0: somewhere");
  EXPECT_THAT(memory_shortage(torch).value_or(""),
              StartsWith("out of memory: 12582912 bytes were requested; "));
  EXPECT_THAT(memory_shortage(std::runtime_error(
                                  "DefaultCPUAllocator: not enough memory: you tried to allocate 5 bytes."))
                  .value_or(""),
              HasSubstr(": 5 bytes"));
  EXPECT_THAT(memory_shortage(std::bad_alloc()).value_or(""), StartsWith("out of memory; "));
  EXPECT_THAT(memory_shortage(std::bad_alloc()).value_or(""), HasSubstr("MiB"));
  EXPECT_FALSE(
      memory_shortage(std::runtime_error("shape mismatch: you tried to allocate sense to it")).has_value());
}

// oneDNN does not say why; with room for everything it must be another reason.
TEST(Memory, UnclearFailuresCountWhenTheLimitIsNear) {
  const std::runtime_error unclear("could not create a primitive");
  EXPECT_FALSE(memory_is_scarce());
  EXPECT_FALSE(memory_shortage(unclear).has_value());
  rlimit before{};
  getrlimit(RLIMIT_AS, &before);
  rlimit low = before;
  low.rlim_cur = resident_bytes() + (rlim_t{16} << 20);
  setrlimit(RLIMIT_AS, &low);
  const bool scarce = memory_is_scarce();
  const auto told = memory_shortage(unclear);
  setrlimit(RLIMIT_AS, &before);
  EXPECT_TRUE(scarce);
  EXPECT_THAT(told.value_or(""), HasSubstr("allowed (ulimit -v)"));
}

TEST(Memory, ResidentBytesGrowWithWhatIsTouched) {
  const std::uint64_t before = resident_bytes();
  const std::string touched(std::size_t{64} << 20, 'x');
  EXPECT_GE(resident_bytes(), before + (touched.size() / 10 * 9));
}

}  // namespace
}  // namespace mgd
