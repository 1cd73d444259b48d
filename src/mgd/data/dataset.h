// What every format becomes: pictures by number, and which of them are train and test.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
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
  // What two items share when they are the same picture: all of it, its first bytes, its size; each costs
  // less than the one before. Here: the pixels, and nothing that would be cheaper.
  virtual std::string content(std::int64_t item) const;
  virtual std::string content_start(std::int64_t) const { return ""; }
  virtual std::uint64_t content_size(std::int64_t) const { return 0; }
};

struct LabelledItem {
  std::int64_t item = 0, label = 0;
};

struct Dataset {
  std::shared_ptr<const PictureStore> store;
  std::int64_t channels = 3;
  std::vector<std::string> classes;       // none: the labels are -1
  std::vector<LabelledItem> train, test;  // in the order of the file
  // Where the files have a validation part of their own; otherwise it is held out of train.
  std::optional<std::vector<LabelledItem>> validation;
  bool has_test = true;
  std::map<std::string, std::int64_t> unused;  // files that are no pictures or lie in no split: kind -> count
  std::vector<std::string> notes;              // see ImageSource
};

// Every fifth sample of each class of `train` becomes `test`; asked for the split "train" as test
// (`test_name`), train becomes test, and the other way round.
void hold_out_test(Dataset& data, const std::string& train_name, const std::string& test_name);

// Throws Error(bad_data) for fewer than two classes by name; `hint` ends the message.
void require_classes(const Dataset& data, const std::string& path, const std::string& hint);
// The same by the samples of train, of which there must be some; classes without a sample there are noted. Of
// pictures without labels nothing is asked.
void check_labels(Dataset& data, const std::string& path);

// The splits that somebody wants: the others need not exist.
struct WantedSplits {
  bool train = false, test = false;
};

// Takes the labels away.
void forget_labels(Dataset& data);

// Some pictures of a store.
struct PicturePart {
  const PictureStore& store;
  const std::vector<LabelledItem>& items;
};

// Those of `part` that are one of `others`, byte for byte, and of the first of them which one it is. Only
// what agrees in size and first bytes with the other side is read as a whole; what cannot be read is no copy.
struct SharedPictures {
  std::vector<std::int64_t> items;  // in the order of `part`
  std::int64_t other = -1;          // -1: there are none
};
SharedPictures shared_pictures(const PicturePart& part, const PicturePart& others);

// The items of one split of `data`: the validation rule and per_class of open_images.
std::vector<LabelledItem> items_of(const Dataset& data, const DataConfig& config, Split split);
std::shared_ptr<const ImageSource> select_split(const Dataset& data, const DataConfig& config, Split split);

}  // namespace mgd
