// A model as the verbs take it: a model folder, a bare weights file, or the name of an architecture.
#pragma once

#include <string>
#include <vector>

#include "mgd/task/open_model.h"

namespace mgd {

// TorchScript and files of answers teach, and are no models that could be opened: Error(usage) with the line
// of a recipe for them.
void refuse_foreign_teachers(const std::string& file);

// `architecture` may be "" for a folder; for a bare weights file it is then found by matching tensor names
// and shapes. A name of a known architecture gives a fresh model when `allow_fresh`. Throws
// Error(missing_input | bad_data | usage | refused).
// With HeadUse::teach a model without a classifier will do: it gets one of one class.
// `classes`: names for a model that comes without (its option --classes); Error(usage) where it has its own.
OpenedModel open_named_model(const std::string& model, const std::string& architecture, bool allow_fresh,
                             const std::vector<std::string>& classes = {}, HeadUse use = HeadUse::own);

}  // namespace mgd
