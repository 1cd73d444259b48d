#include "mgd/mask/mask_entry.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/idle_options.h"

namespace mgd {

void check_mask(const Node& entry, const std::string& where, const MaskOptions& options, Axes axes) {
  const std::vector<std::string> fitting = samplers_for(axes);
  if (std::find(fitting.begin(), fitting.end(), options.mask) == fitting.end()) {
    const Node* const written = entry.find("mask");
    fail(ExitCode::usage, "{}: {}: mask: got '{}', and the node has {}, expected one of {}",
         (written != nullptr ? written->origin : entry.origin).text(), where, options.mask, axes_name(axes),
         fmt::join(fitting, ", "));
  }
  refuse_idle(entry, where, options,
              {{"size", options.mask != "block",
                fmt::format("it is the edge of a block, and mask: {} has none", options.mask)}});
}

}  // namespace mgd
