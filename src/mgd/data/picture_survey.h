// What the headers of the pictures say: their sizes, and which of them are grey.
#pragma once

#include "mgd/data/image_source.h"
#include "mgd/data/resize.h"

namespace mgd {

struct PictureSurvey {
  std::int64_t pictures = 0, looked = 0, unreadable = 0;  // unreadable: no header, of those looked at
  std::int64_t sizes = 0;                                 // different ones
  PictureSize smallest, largest;                          // by area
  std::int64_t grey = 0;                                  // of those looked at
  bool one_size() const { return sizes == 1; }
};

// Looks at every picture, or at `most` of them at even distances. Pixels are not decoded.
PictureSurvey survey_pictures(const ImageSource& source, std::int64_t most = 20'000);

}  // namespace mgd
