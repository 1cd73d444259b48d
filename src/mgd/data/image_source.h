// One split of an image classification dataset: samples by index.
#pragma once

#include "mgd/format/config.h"
#include "mgd/format/image.h"

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace mgd {

class ImageSource {
 public:
  virtual ~ImageSource() = default;
  virtual std::int64_t size() const = 0;
  virtual std::int64_t channels() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;  // index = label
  virtual std::int64_t label(std::int64_t index) const = 0;         // -1 when unknown
  virtual std::string name(std::int64_t index) const = 0;           // "test/cat/0001.jpg", "row 17"
  virtual Image image(std::int64_t index) const = 0;                // thread-safe; throws Error(bad_data) naming the sample
  virtual std::string fingerprint() const = 0;                      // SHA-256 over names, sizes and labels
};

enum class Split { train, validation, test };

// Opens config.path: ImageFolder (folder or archive, sorted class folders), CIFAR-10/100 binary, IDX(.gz) pairs, .npz
// (x_train, y_train, x_test, y_test), .csv(.gz) of pixels with the label in the last column. `validation` and `train` share
// the training images: within each class, sample i of n is held out iff floor((i+1) f) > floor(i f) with f =
// config.validation; per_class then keeps the first N of each class. Formats with a single table (csv) take every fifth
// row of each class as test. Throws Error(missing_input | bad_data | usage) naming the path and what was expected.
std::unique_ptr<ImageSource> open_images(const DataConfig& config, Split split);

// The pictures of loose files and folders, for prediction: labels are -1.
std::unique_ptr<ImageSource> open_loose_images(const std::vector<std::string>& paths, std::int64_t channels);

}  // namespace mgd
