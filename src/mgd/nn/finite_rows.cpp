#include "mgd/nn/finite_rows.h"

#include <ATen/ops/amax.h>
#include <ATen/ops/isfinite.h>

#include "mgd/core/error.h"

namespace mgd {

void require_finite_rows(const at::Tensor& answers, const std::string& model,
                         const std::function<std::string(std::int64_t)>& name_of_row) {
  if (answers.numel() == 0) return;
  const at::Tensor good = at::isfinite(answers.amax(1)).to(at::kCPU).contiguous();
  const bool* row = good.const_data_ptr<bool>();
  for (std::int64_t n = 0; n < good.numel(); ++n)
    if (!row[n])
      fail(ExitCode::bad_data,
           "{}: its answer to {} is NaN or infinite; its weights overflow, or belong to pictures or texts of "
           "another "
           "kind",
           model, name_of_row(n));
}

}  // namespace mgd
