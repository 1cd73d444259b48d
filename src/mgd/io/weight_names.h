// What training programs put around the names of a network's tensors.
#pragma once

#include <string>

#include "mgd/io/weights.h"

namespace mgd {

// Takes off the wrappers that training programs add: "module." (data parallel), "_orig_mod." (compiled),
// "model.", "backbone.", "student.", "network." ... (a part of a bigger module), "state_dict.", "model." (a
// nest), several one in another. Where a file holds a network twice, the averaged copy ("ema.", "model_ema.",
// "state_dict_ema.") counts, as in timm, and the other is left out. A wrapper that only some of the tensors
// have is taken off those, unless a name would then be there twice. `note` gets one line of what was done, ""
// when nothing was. For networks whose own layers have none of these names: all for images, no Transformer.
TensorMap unwrapped_names(TensorMap tensors, std::string& note);

}  // namespace mgd
