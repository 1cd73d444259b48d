// A TorchScript file as a teacher: it runs when its hash says that the user trusts it.
#pragma once

#include <string>

#include "mgd/task/open_model.h"

namespace mgd {

// config.script, run once on a grey picture of the size of `defaults`. Throws Error(refused) before anything
// of it is read as a program when config.trust is not its SHA-256, Error(missing_input), as open_script, and
// Error(usage) for classes that come in another order than the data's.
OpenedModel open_trusted_script(const ModelConfig& config, const ModelDefaults& defaults,
                                const std::string& role);

}  // namespace mgd
