#include "mgd/model/model.h"

#include <ATen/core/grad_mode.h>

#include "mgd/core/error.h"

namespace mgd {

namespace {

// Throws Error(usage) for a name to capture that no node of `model` has, and names the nearest that it has.
// Only then is there a second pass over the batch, which tells the names.
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

}  // namespace

Record Model::run(const Batch& batch, Forward& forward) {
  Record record = answer(batch, forward);
  require_captured(*this, batch, forward);
  for (const auto& [name, data] : forward.captured()) {
    const NodeInfo info = info_of(name, data);
    record.nodes[name] = {
        .data = data,
        .axes = info.axes,
        .offsets = info.axes == Axes::rows ? tokens_of(info, batch).offsets : std::vector<std::int64_t>{}};
  }
  return record;
}

}  // namespace mgd
