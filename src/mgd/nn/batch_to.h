#pragma once

#include <c10/core/Device.h>

#include "mgd/types/batch.h"

namespace mgd {

// The batch with every tensor on `device`; the same tensors when they are there.
Batch batch_to(const Batch& batch, at::Device device);

}  // namespace mgd
