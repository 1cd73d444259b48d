#include "mgd/data/picture_survey.h"

#include <algorithm>
#include <set>

#include "mgd/core/error.h"

namespace mgd {

PictureSurvey survey_pictures(const ImageSource& source, std::int64_t most) {
  PictureSurvey survey{.pictures = source.size(), .looked = std::min(source.size(), most)};
  const auto area = [](PictureSize size) { return size.height * size.width; };
  std::set<std::pair<std::int64_t, std::int64_t>> sizes;
  for (std::int64_t k = 0; k < survey.looked; ++k) {
    ImageHeader header;
    try {
      header = source.header(k * survey.pictures / survey.looked);
    } catch (const Error& error) {
      if (error.code() != ExitCode::bad_data) throw;
      ++survey.unreadable;  // whoever reads the pixels names it
      continue;
    }
    const PictureSize size{.height = header.height, .width = header.width};
    if (sizes.empty() || area(size) < area(survey.smallest)) survey.smallest = size;
    if (sizes.empty() || area(size) > area(survey.largest)) survey.largest = size;
    sizes.emplace(size.height, size.width);
    survey.grey += header.channels == 1 ? 1 : 0;
  }
  survey.sizes = static_cast<std::int64_t>(sizes.size());
  return survey;
}

}  // namespace mgd
