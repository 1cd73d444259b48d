#include <gtest/gtest.h>

#include "loss/fixture.h"

namespace mgd {
namespace {

using namespace test;

TEST(ChannelWise, AgreesWithPyTorch) {
  const Tensors fixture = read_fixture("cwd");
  for (const char* temperature : {"1", "4"})
    for (auto dtype : {at::kDouble, at::kFloat}) {
      auto loss =
          make_loss(entry_of("cwd", {{"temperature", temperature}}), context_of({5, 6, 5}, {7, 6, 5}));
      expect_case(*loss, {}, fixture, temperature, dtype);
      EXPECT_EQ(loss->count({.batch_size = 3, .keep = {}}), 3 * 7);
    }
}

}  // namespace
}  // namespace mgd
