// Pictures with classes, as a model that is measured names them.
#pragma once

#include <memory>
#include <string>

#include "mgd/cli/console.h"
#include "mgd/data/image_source.h"
#include "mgd/task/open_model.h"

namespace mgd {

// `source` under the model's classes: its answers are judged among all of them, as whoever uses it gets them.
// Matched by name, or by position with a line on the console where one side has no names. `model` is named in
// messages. Throws Error(usage) for classes that the model does not have.
std::shared_ptr<const ImageSource> in_classes_of(const OpenedModel& opened, const std::string& model,
                                                 std::shared_ptr<const ImageSource> source, Console& console);

}  // namespace mgd
