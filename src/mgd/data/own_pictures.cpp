#include "mgd/data/own_pictures.h"

#include <fmt/core.h>

#include <utility>

#include "mgd/core/error.h"

namespace mgd {
namespace {

class FunctionPictures final : public ImageSource {
 public:
  explicit FunctionPictures(OwnPictures own) : own_(std::move(own)) {}
  std::int64_t size() const override { return own_.size; }
  std::int64_t channels() const override { return own_.channels; }
  const std::vector<std::string>& class_names() const override { return own_.classes; }
  std::int64_t label(std::int64_t index) const override { return own_.label(index); }
  std::string name(std::int64_t index) const override { return fmt::format("picture[{}]", index); }
  std::string fingerprint() const override {
    return fmt::format("{} own pictures, version {}", own_.size, own_.version);
  }
  Image image(std::int64_t index) const override {
    Image image = own_.image(index);
    const std::int64_t pixels = image.height * image.width * image.channels;
    if (image.channels != own_.channels || pixels <= 0 || std::cmp_not_equal(image.pixels.size(), pixels))
      fail(ExitCode::bad_data,
           "{}: got {} x {} x {} with {} bytes, expected {} channels and a byte for each value", name(index),
           image.height, image.width, image.channels, image.pixels.size(), own_.channels);
    return image;
  }

 private:
  const OwnPictures own_;
};

}  // namespace

std::shared_ptr<const ImageSource> make_pictures(OwnPictures pictures) {
  if (!pictures.label || !pictures.image)
    fail(ExitCode::usage, "own pictures: label or image is no function");
  if (pictures.size < 1) fail(ExitCode::usage, "own pictures: size: got {}, expected >= 1", pictures.size);
  if (pictures.channels != 1 && pictures.channels != 3)
    fail(ExitCode::usage, "own pictures: channels: got {}, expected 1 or 3", pictures.channels);
  return std::make_shared<FunctionPictures>(std::move(pictures));
}

}  // namespace mgd
