// Pictures that functions of a program give.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mgd/data/image_source.h"

namespace mgd {

struct OwnPictures {
  std::int64_t size = 0;  // how many there are
  std::int64_t channels = 3;
  std::vector<std::string> classes;                       // index = label
  std::function<std::int64_t(std::int64_t index)> label;  // of picture `index`, 0 ... size - 1; -1: not known
  std::function<Image(std::int64_t index)> image;         // of `channels`; several threads call it
  // Stands for what the functions give: a checkpoint of other pictures is not resumed.
  std::string version = "1";
};

// Throws Error(usage): a function that is missing, no pictures, channels other than 1 and 3.
std::shared_ptr<const ImageSource> make_pictures(OwnPictures pictures);

}  // namespace mgd
