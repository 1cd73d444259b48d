#include "mgd/data/prepared_images.h"

#include <atomic>
#include <map>

namespace mgd {
namespace {

class PreparedImages final : public ImageSource {
 public:
  PreparedImages(std::shared_ptr<const ImageSource> source, std::function<Image(const Image&)> prepare,
                 std::int64_t max_bytes)
      : source_(std::move(source)),
        prepare_(std::move(prepare)),
        free_bytes_(max_bytes),
        kept_(static_cast<std::size_t>(source_->size())) {}
  ~PreparedImages() override {
    for (auto& slot : kept_) delete slot.load();
  }

  std::int64_t size() const override { return source_->size(); }
  std::int64_t channels() const override { return source_->channels(); }
  const std::vector<std::string>& class_names() const override { return source_->class_names(); }
  std::int64_t label(std::int64_t i) const override { return source_->label(i); }
  std::string name(std::int64_t i) const override { return source_->name(i); }
  std::string content(std::int64_t i) const override { return source_->content(i); }
  std::string fingerprint() const override { return source_->fingerprint(); }
  std::map<std::string, std::int64_t> unused_files() const override { return source_->unused_files(); }
  std::vector<std::string> notes() const override { return source_->notes(); }

  Image image(std::int64_t i) const override {
    auto& slot = kept_[static_cast<std::size_t>(i)];
    if (const Image* kept = slot.load(std::memory_order_acquire)) return *kept;
    Image fresh = prepare_(source_->image(i));
    const auto bytes = static_cast<std::int64_t>(fresh.pixels.size() + sizeof(Image));
    if (free_bytes_.fetch_sub(bytes) < bytes) {
      free_bytes_.fetch_add(bytes);
      return fresh;
    }
    auto mine = std::make_unique<const Image>(fresh);
    const Image* nobody = nullptr;
    if (slot.compare_exchange_strong(nobody, mine.get(), std::memory_order_acq_rel))
      mine.release();
    else
      free_bytes_.fetch_add(bytes);  // another thread was first
    return fresh;
  }

 private:
  const std::shared_ptr<const ImageSource> source_;
  const std::function<Image(const Image&)> prepare_;
  mutable std::atomic<std::int64_t> free_bytes_;
  mutable std::vector<std::atomic<const Image*>> kept_;
};

}  // namespace

std::shared_ptr<const ImageSource> prepared_images(std::shared_ptr<const ImageSource> source,
                                                   std::function<Image(const Image&)> prepare,
                                                   std::int64_t max_bytes) {
  return std::make_shared<PreparedImages>(std::move(source), std::move(prepare), max_bytes);
}

}  // namespace mgd
