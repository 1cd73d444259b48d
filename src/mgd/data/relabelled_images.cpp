#include "mgd/data/relabelled_images.h"

#include "mgd/core/error.h"

namespace mgd {

namespace {

class RelabelledImages final : public ImageSource {
 public:
  RelabelledImages(std::shared_ptr<const ImageSource> source, std::vector<std::int64_t> places,
                   std::vector<std::string> names)
      : source_(std::move(source)), places_(std::move(places)), names_(std::move(names)) {
    MGD_ASSERT(places_.size() == source_->class_names().size());
  }

  std::int64_t size() const override { return source_->size(); }
  std::int64_t channels() const override { return source_->channels(); }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t label(std::int64_t index) const override {
    const std::int64_t label = source_->label(index);
    return label < 0 ? label : places_.at(static_cast<std::size_t>(label));
  }
  std::string name(std::int64_t index) const override { return source_->name(index); }
  Image image(std::int64_t index) const override { return source_->image(index); }
  ImageHeader header(std::int64_t index) const override { return source_->header(index); }
  std::string content(std::int64_t index) const override { return source_->content(index); }
  std::string fingerprint() const override { return source_->fingerprint(); }
  std::map<std::string, std::int64_t> unused_files() const override { return source_->unused_files(); }
  std::vector<std::string> notes() const override { return source_->notes(); }

 private:
  std::shared_ptr<const ImageSource> source_;
  std::vector<std::int64_t> places_;
  std::vector<std::string> names_;
};

}  // namespace

std::shared_ptr<const ImageSource> relabelled(std::shared_ptr<const ImageSource> source,
                                              std::vector<std::int64_t> places,
                                              std::vector<std::string> names) {
  return std::make_shared<RelabelledImages>(std::move(source), std::move(places), std::move(names));
}

}  // namespace mgd
