// Three texts of 5, 1 and 7 tokens, and what models tell of their rows.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "loss/fixture.h"

namespace mgd::test {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline const std::vector<std::int64_t> kOffsets = {0, 5, 6, 13};
inline constexpr std::int64_t kRows = 13, kStudent = 4, kTeacher = 6, kHeads = 2;

LossContext rows_context();
Case rows_case();
std::unique_ptr<Loss> rows_loss(const std::string& name, const Fields& fields = {});  // in double
at::Tensor keep_of_rows(const std::vector<int>& seen);

}  // namespace mgd::test
