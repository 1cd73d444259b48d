// Errors of the system that nobody has made into an Error on the way.
#pragma once

#include <system_error>

#include "mgd/core/error.h"

namespace mgd {

// What the system says of a file or a resource, as an exit code: names that lead nowhere (too long ones, too)
// are missing inputs; what may not be made is cannot_create; the rest of what files do is io, of what a
// process does, environment.
ExitCode exit_code_of(const std::error_code& code);

}  // namespace mgd
