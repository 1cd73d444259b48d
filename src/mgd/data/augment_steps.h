// The makers of the augmentation steps and their options for a reader, for the list in augment.cpp.
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

template <class Step>
std::vector<OptionInfo> describe_options_of() {
  Step step;
  return describe_options_impl([](void* s, OptionVisitor& v) { static_cast<Step*>(s)->visit(v); }, &step);
}

std::unique_ptr<Augmentation> make_crop(const Node& entry, const std::string& where);
std::vector<OptionInfo> crop_options();
std::unique_ptr<Augmentation> make_flip(const Node& entry, const std::string& where);
std::vector<OptionInfo> flip_options();
std::unique_ptr<Augmentation> make_cutout(const Node& entry, const std::string& where);
std::vector<OptionInfo> cutout_options();
std::unique_ptr<Augmentation> make_random_resized_crop(const Node& entry, const std::string& where);
std::vector<OptionInfo> random_resized_crop_options();
std::unique_ptr<Augmentation> make_color_jitter(const Node& entry, const std::string& where);
std::vector<OptionInfo> color_jitter_options();

}  // namespace mgd
