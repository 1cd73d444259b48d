// The tasks by name, one line each.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/task/host.h"
#include "mgd/task/task.h"

namespace mgd {

// Opens the data of config.task, or those of the host. Throws Error(usage | missing_input | bad_data).
std::unique_ptr<Task> make_task(const Config& config, at::Device device, const Host& host = {});

}  // namespace mgd
