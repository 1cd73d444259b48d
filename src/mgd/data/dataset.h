// What every format becomes: pictures by number, and which of them are train and test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "mgd/data/image_source.h"

namespace mgd {

inline constexpr std::int64_t kMaxClasses = 10'000;

class PictureStore {
 public:
  virtual ~PictureStore() = default;
  virtual Image image(std::int64_t item) const = 0;  // thread-safe; the message of an error names no sample
  virtual ImageHeader header(std::int64_t item) const {  // override where it costs less than the picture
    const Image whole = image(item);
    return {.height = whole.height, .width = whole.width, .channels = whole.channels};
  }
  virtual std::string name(std::int64_t item) const = 0;
  virtual std::string identity(std::int64_t item) const = 0;  // changes when the picture does, cheap to tell
};

struct LabelledItem {
  std::int64_t item = 0, label = 0;
};

struct Dataset {
  std::shared_ptr<const PictureStore> store;
  std::int64_t channels = 3;
  std::vector<std::string> classes;
  std::vector<LabelledItem> train, test;  // in the order of the file
  std::int64_t ignored = 0;
};

// The splits that somebody wants: the others need not exist.
struct WantedSplits {
  bool train = false, test = false;
};

// One split of `data`: the validation rule and per_class of open_images.
std::shared_ptr<const ImageSource> select_split(const Dataset& data, const DataConfig& config, Split split);

}  // namespace mgd
