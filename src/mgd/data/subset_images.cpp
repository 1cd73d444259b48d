#include "mgd/data/subset_images.h"

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

namespace {

class SubsetImages final : public ImageSource {
 public:
  SubsetImages(std::shared_ptr<const ImageSource> source, std::vector<std::int64_t> samples)
      : source_(std::move(source)), samples_(std::move(samples)) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(samples_.size()); }
  std::int64_t channels() const override { return source_->channels(); }
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  std::int64_t label(std::int64_t index) const override { return source_->label(place(index)); }
  std::string name(std::int64_t index) const override { return source_->name(place(index)); }
  Image image(std::int64_t index) const override { return source_->image(place(index)); }
  ImageHeader header(std::int64_t index) const override { return source_->header(place(index)); }
  std::string content(std::int64_t index) const override { return source_->content(place(index)); }
  std::string fingerprint() const override {
    std::string text = source_->fingerprint();
    for (const auto sample : samples_) text += fmt::format(",{}", sample);
    return sha256_hex(text);
  }
  std::map<std::string, std::int64_t> unused_files() const override { return source_->unused_files(); }
  std::vector<std::string> notes() const override { return source_->notes(); }

 private:
  std::int64_t place(std::int64_t index) const { return samples_.at(static_cast<std::size_t>(index)); }

  std::shared_ptr<const ImageSource> source_;
  std::vector<std::int64_t> samples_;
};

}  // namespace

std::shared_ptr<const ImageSource> subset_images(std::shared_ptr<const ImageSource> source,
                                                 std::vector<std::int64_t> samples) {
  return std::make_shared<SubsetImages>(std::move(source), std::move(samples));
}

}  // namespace mgd
