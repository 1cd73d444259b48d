#include "mgd/eval/text_metrics.h"

#include <gtest/gtest.h>

namespace mgd {
namespace {

// scikit-learn's f1_score(average="macro"): over the classes that are a truth or an answer.
TEST(MacroF1, ClassesThatAreNotThereDoNotCount) {
  EXPECT_NEAR(macro_f1({{2, 1}, {0, 3}}), (0.8 + 6.0 / 7) / 2, 1e-12);
  EXPECT_NEAR(macro_f1({{2, 1, 0, 0}, {0, 3, 0, 0}, {0, 0, 0, 0}, {0, 0, 0, 0}}), (0.8 + 6.0 / 7) / 2, 1e-12);
  EXPECT_NEAR(macro_f1({{2, 1, 1}, {0, 3, 0}, {0, 0, 0}}), (2.0 / 3 + 6.0 / 7) / 3, 1e-12)
      << "an answer that is never the truth is there";
  EXPECT_EQ(macro_f1({{0, 0}, {0, 0}}), 0);
  EXPECT_EQ(macro_f1({{4}}), 1);
}

}  // namespace
}  // namespace mgd
