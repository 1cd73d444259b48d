#include "mgd/data/joined_images.h"

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

namespace {

class JoinedImages final : public ImageSource {
 public:
  JoinedImages(std::shared_ptr<const ImageSource> labelled, std::shared_ptr<const ImageSource> more)
      : labelled_(std::move(labelled)), more_(std::move(more)) {
    MGD_ASSERT(labelled_->channels() == more_->channels());
  }

  std::int64_t size() const override { return labelled_->size() + more_->size(); }
  std::int64_t channels() const override { return labelled_->channels(); }
  const std::vector<std::string>& class_names() const override { return labelled_->class_names(); }
  std::int64_t label(std::int64_t index) const override {
    return index < labelled_->size() ? labelled_->label(index) : -1;
  }
  std::string name(std::int64_t index) const override { return of(index).name(place(index)); }
  Image image(std::int64_t index) const override { return of(index).image(place(index)); }
  ImageHeader header(std::int64_t index) const override { return of(index).header(place(index)); }
  std::string content(std::int64_t index) const override { return of(index).content(place(index)); }
  std::string fingerprint() const override {
    return sha256_hex(labelled_->fingerprint() + " and unlabelled " + more_->fingerprint());
  }
  std::map<std::string, std::int64_t> unused_files() const override {
    auto unused = labelled_->unused_files();
    for (const auto& [kind, count] : more_->unused_files()) unused[kind] += count;
    return unused;
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes = labelled_->notes();
    for (const std::string& note : more_->notes()) notes.push_back("unlabelled: " + note);
    return notes;
  }

 private:
  const ImageSource& of(std::int64_t index) const { return index < labelled_->size() ? *labelled_ : *more_; }
  std::int64_t place(std::int64_t index) const {
    return index < labelled_->size() ? index : index - labelled_->size();
  }

  std::shared_ptr<const ImageSource> labelled_, more_;
};

}  // namespace

std::shared_ptr<const ImageSource> joined_images(std::shared_ptr<const ImageSource> labelled,
                                                 std::shared_ptr<const ImageSource> more) {
  return std::make_shared<JoinedImages>(std::move(labelled), std::move(more));
}

}  // namespace mgd
