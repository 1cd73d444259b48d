// One split of an image classification dataset: samples by index.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "mgd/format/config.h"
#include "mgd/format/image.h"
#include "mgd/types/batch.h"

namespace mgd {

// Held by shared pointers, so that a thread which hangs in a read keeps what it reads from.
class ImageSource : public SampleNames, public std::enable_shared_from_this<ImageSource> {
 public:
  virtual std::int64_t size() const = 0;
  virtual std::int64_t channels() const = 0;
  virtual const std::vector<std::string>& class_names() const = 0;  // index = label
  virtual std::int64_t label(std::int64_t index) const = 0;         // -1 when unknown
  std::string name(std::int64_t index) const override = 0;          // "test/cat/0001.jpg", "x_train[17]"
  virtual Image image(std::int64_t index) const = 0;  // thread-safe; throws Error(bad_data) naming the sample
  virtual ImageHeader header(std::int64_t index) const;  // as cheap as it can be; throws like image()
  // What two pictures share when they are the same one: the bytes of its file, or, where it has none, its
  // size and pixels. Throws like image().
  virtual std::string content(std::int64_t index) const;
  virtual std::string fingerprint() const = 0;  // SHA-256 over names, labels, sizes (arrays: pixels)
  virtual std::map<std::string, std::int64_t> unused_files() const { return {}; }  // kind (".txt") -> count
  // For the console, a line each: where the split comes from when no file says so, what was left out.
  virtual std::vector<std::string> notes() const { return {}; }
};

enum class Split { train, validation, test };

// Opens config.path, in the form config.format. `auto` looks at the content, never at the name:
//   imagefolder  SPLIT/CLASS/**PICTURE or CLASS/**PICTURE in a folder or an archive (data/folder_layout.h);
//   classes
//                are sorted by name (bytes). The classes of `train` count for every split. Other files are
//                counted by kind; a class folder without any picture is an error. Pictures are grey when all
//                headers say so, otherwise all become RGB.
//   cifar        data_batch_*.bin and test_batch.bin (CIFAR-10), train.bin and test.bin (CIFAR-100: the fine
//                label), in a folder or an archive
//   idx          SPLIT-images-idx3-ubyte and SPLIT-labels-idx1-ubyte (.gz), in a folder or an archive; t10k
//                is another name of test
//   npz          pairs of arrays (data/array_names.h); (N, Y, X), (N, Y, X, 1|3), (N, 1|3, Y, X) or (N, P)
//   with P a
//                square. Integers 0 ... 255; fractions 0 ... 1, or 0 ... 255 when any is above 1
//   list         a text file, a path a line (data/sources.h); such pictures have no labels
//   csv          a row a picture: a square number of grey pixels and a label (data/label_column.h); .gz too.
//   Every
//                fifth row of each class is test. Pixels are scaled so that the largest becomes 255.
// config.labels none: what says a class is not looked at, all labels are -1, class_names() is empty, and a
// folder's pictures count at any depth. So it is for training pictures that lie right in a
// folder.
// SPLIT is config.train or config.test. Labels of idx, npz and csv are 0 ... 9,999; classes are named by
// them. config.channels converts what the files hold.
//
// `validation` and `train` share the training images: within each class, sample i of n is held out iff
// floor((i+1) f) > floor(i f) with f = config.validation; per_class then keeps the first N of each class in
// `train`. Of pictures without labels the n f whose names have the smallest SHA-256 are held out.
//
// Throws Error(missing_input) when path or split is not there (the splits that are get named),
// Error(bad_data) for content that does not fit and fewer than two classes to train on, Error(refused) for
// pickles, loops of links, names that lead out and bombs, Error(usage) for a format that the path cannot
// have.
std::shared_ptr<const ImageSource> open_images(const DataConfig& config, Split split);

// What a run needs, from one reading of the path: validation is null when config.validation is 0, test when
// config.test is empty, or of the default name and not there beside a validation folder.
struct OpenedSplits {
  std::shared_ptr<const ImageSource> train, validation, test;
};
OpenedSplits open_splits(const DataConfig& config);

// Loose files, and the pictures in folders (recursive, links followed, sorted), for prediction: labels are
// -1. unused_files() counts what else lies there. Throws Error(missing_input) for what is not there and a
// folder without pictures, Error(refused) for a loop of links.
std::shared_ptr<const ImageSource> open_loose_images(const std::vector<std::string>& paths,
                                                     std::int64_t channels, double max_megapixels = 64);

}  // namespace mgd
