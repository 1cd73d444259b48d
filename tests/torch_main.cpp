// LibTorch's generator starts with other numbers in every process. Here each test starts with those of
// --gtest_random_seed (0 unless given): a failure can be repeated, and none comes and goes by chance.
#include <ATen/Context.h>
#include <gtest/gtest.h>

namespace {

class Seeding : public ::testing::EmptyTestEventListener {
  void OnTestStart(const ::testing::TestInfo&) override {
    at::manual_seed(static_cast<std::uint64_t>(GTEST_FLAG_GET(random_seed)));
  }
};

}  // namespace

int main(int argc, char** argv) {
  ::testing::InitGoogleTest(&argc, argv);
  ::testing::UnitTest::GetInstance()->listeners().Append(new Seeding);  // who owns it from here on
  return RUN_ALL_TESTS();
}
