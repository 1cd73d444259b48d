#include "mgd/model/model.h"

#include <ATen/core/grad_mode.h>

#include "mgd/core/error.h"

namespace mgd {

void require_captured(Model& model, const Batch& batch, const Forward& forward) {
  const std::vector<std::string> missing = forward.not_passed();
  if (missing.empty()) return;
  std::vector<std::string> known;
  const at::NoGradGuard no_grad;
  Forward look;
  look.observe([&](const std::string& name, const at::Tensor&) { known.push_back(name); });
  model.run(batch, look);
  fail(ExitCode::usage, "{}: no node '{}' to tap{}", model.architecture(), missing.front(),
       suggestion(missing.front(), known));
}

}  // namespace mgd
