// `mgd config`, which needs nothing of what computes.
#pragma once

#include "mgd/front/args.h"

namespace mgd {

Verb config_verb();

}  // namespace mgd
