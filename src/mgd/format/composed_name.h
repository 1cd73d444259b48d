// Names of classes as they are compared: what looks the same is the same.
#pragma once

#include <string>

namespace mgd {

// Unicode's composed form (NFC). Folders made on a Mac or unpacked from its archives are often named with
// letters and accents apart; labels in tables and models have them together. What is not UTF-8 stays as it
// is.
std::string composed_name(const std::string& name);

}  // namespace mgd
