#include "mgd/nn/device.h"

#include <ATen/Context.h>
#include <dlfcn.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "mgd/core/error.h"

namespace mgd {
namespace {

using ::testing::HasSubstr;

TEST(Device, CpuIsAlwaysThere) {
  EXPECT_TRUE(open_device("cpu", "run.device").is_cpu());
}

TEST(Device, AMissingGpuIsToldWithItsReasonAndAWayOut) {
  if (at::hasCUDA()) GTEST_SKIP() << "this machine has a GPU";
  try {
    open_device("cuda", "run.device");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::environment);
    EXPECT_THAT(error.what(),
                HasSubstr(at::globalContext().hasCUDART() ? "finds no GPU" : "built without CUDA"));
    EXPECT_THAT(error.what(), HasSubstr("use run.device=cpu"));
  }
}

TEST(Device, CudaComputesInFloat32AndRepeatably) {
  if (!at::hasCUDA()) GTEST_SKIP() << "no GPU here";
  EXPECT_TRUE(open_device("cuda", "run.device").is_cuda());
  EXPECT_FALSE(at::globalContext().allowTF32CuDNN(at::Float32Op::CONV));
  EXPECT_TRUE(at::globalContext().deterministicCuDNN());
}

// cmake/FindLibTorch.cmake tells why: the std::filesystem that LibTorch exports must not be found first.
TEST(Device, TheStandardLibraryComesBeforeLibTorch) {
  void* remove_all = dlsym(RTLD_DEFAULT, "_ZNSt10filesystem10remove_allERKNS_7__cxx114pathERSt10error_code");
  ASSERT_NE(remove_all, nullptr);
  Dl_info info{};
  ASSERT_NE(dladdr(remove_all, &info), 0);
  EXPECT_THAT(info.dli_fname, HasSubstr("libstdc++"));
}

}  // namespace
}  // namespace mgd
