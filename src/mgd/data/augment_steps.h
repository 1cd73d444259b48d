// The makers of the augmentation steps, for the list in augment.cpp.
#pragma once

#include <memory>
#include <string>

#include "mgd/core/error.h"
#include "mgd/data/augment.h"
#include "mgd/format/options.h"

namespace mgd {

// `entry` with the key of the short form, `value`, renamed to `option`. Throws Error(usage) when both are
// there.
Node without_short_form(const Node& entry, const std::string& where, const std::string& option);

std::unique_ptr<Augmentation> make_crop(const Node& entry, const std::string& where);
std::unique_ptr<Augmentation> make_flip(const Node& entry, const std::string& where);
std::unique_ptr<Augmentation> make_cutout(const Node& entry, const std::string& where);
std::unique_ptr<Augmentation> make_random_resized_crop(const Node& entry, const std::string& where);
std::unique_ptr<Augmentation> make_color_jitter(const Node& entry, const std::string& where);

}  // namespace mgd
