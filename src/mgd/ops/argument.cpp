#include "mgd/ops/argument.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cctype>

#include "mgd/core/error.h"

namespace mgd {

std::string outline_of(const at::Tensor& tensor) {
  if (!tensor.defined()) return "nothing";
  std::string type = c10::toString(tensor.scalar_type());
  std::transform(type.begin(), type.end(), type.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return fmt::format("{} ({})", type, fmt::join(tensor.sizes().begin(), tensor.sizes().end(), ", "));
}

void refuse(std::string_view where, std::string_view what, const at::Tensor& got, std::string_view expected) {
  fail(ExitCode::usage, "{}{}{}: got {}, expected {}", where, where.empty() ? "" : ": ", what,
       outline_of(got), expected);
}

bool is_real(const at::Tensor& tensor, std::int64_t dimensions) {
  return tensor.defined() && tensor.dim() == dimensions && at::isFloatingType(tensor.scalar_type());
}

}  // namespace mgd
