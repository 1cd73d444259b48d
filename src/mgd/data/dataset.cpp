#include "mgd/data/dataset.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <unordered_set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

class SplitImages final : public ImageSource {
 public:
  SplitImages(const Dataset& data, std::vector<LabelledItem> items)
      : store_(data.store),
        channels_(data.channels),
        classes_(data.classes),
        items_(std::move(items)),
        unused_(data.unused),
        notes_(data.notes) {}

  std::int64_t size() const override { return static_cast<std::int64_t>(items_.size()); }
  std::int64_t channels() const override { return channels_; }
  const std::vector<std::string>& class_names() const override { return classes_; }
  std::int64_t label(std::int64_t i) const override { return at(i).label; }
  std::string name(std::int64_t i) const override { return store_->name(at(i).item); }
  std::map<std::string, std::int64_t> unused_files() const override { return unused_; }
  std::vector<std::string> notes() const override { return notes_; }

  Image image(std::int64_t i) const override {
    return named(at(i).item,
                 [this](std::int64_t item) { return to_channels(store_->image(item), channels_); });
  }
  ImageHeader header(std::int64_t i) const override {
    return named(at(i).item, [this](std::int64_t item) { return store_->header(item); });
  }

  std::string content(std::int64_t i) const override {
    return named(at(i).item, [this](std::int64_t item) { return store_->content(item); });
  }
  std::string fingerprint() const override {
    std::string text;  // lengths first: names may hold anything, line ends included
    for (const auto& c : classes_) text += fmt::format("{}:{}", c.size(), c);
    for (const auto& [item, label] : items_) {
      const std::string name = store_->name(item);
      text += fmt::format("{}:{}{},{};", name.size(), name, store_->identity(item), label);
    }
    return sha256_hex(text);
  }

 private:
  // What `read` gives, or its error with the name of the sample in front.
  template <class Read>
  auto named(std::int64_t item, Read&& read) const -> decltype(read(item)) {
    try {
      return read(item);
    } catch (const Error& e) {
      throw Error(e.code(), printable(store_->name(item)) + ": " + e.what());
    } catch (const std::bad_alloc&) {
      fail(ExitCode::out_of_memory, "{}: no memory to decode it", printable(store_->name(item)));
    }
  }
  const LabelledItem& at(std::int64_t i) const { return items_.at(static_cast<std::size_t>(i)); }

  std::shared_ptr<const PictureStore> store_;
  std::int64_t channels_;
  std::vector<std::string> classes_;
  std::vector<LabelledItem> items_;
  std::map<std::string, std::int64_t> unused_;
  std::vector<std::string> notes_;
};

bool held_out(std::int64_t i, double frac) {
  return std::floor(static_cast<double>(i + 1) * frac) > std::floor(static_cast<double>(i) * frac);
}

// In the order of names what they show may come in turns, and every tenth could be of one kind: those whose
// names have the smallest hashes are held out.
std::vector<LabelledItem> unlabelled_items_of(const Dataset& data, double held_out_frac, Split split) {
  std::vector<std::string> hashes;
  for (const LabelledItem& item : data.train) hashes.push_back(sha256_hex(data.store->name(item.item)));
  std::vector<std::string> ordered = hashes;
  std::sort(ordered.begin(), ordered.end());
  const auto count = static_cast<std::size_t>(held_out_frac * static_cast<double>(hashes.size()));
  std::vector<LabelledItem> chosen;
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    const bool held_out = count > 0 && hashes[i] <= ordered[count - 1];
    if (held_out == (split == Split::validation)) chosen.push_back(data.train[i]);
  }
  return chosen;
}

}  // namespace

ImageHeader ImageSource::header(std::int64_t index) const {
  const Image whole = image(index);
  return {.height = whole.height, .width = whole.width, .channels = whole.channels};
}

void hold_out_test(Dataset& data, const std::string& train_name, const std::string& test_name) {
  std::vector<std::int64_t> seen(data.classes.size());
  std::vector<LabelledItem> train, test;
  for (const LabelledItem& item : data.train)
    (seen[static_cast<std::size_t>(item.label)]++ % 5 == 4 ? test : train).push_back(item);
  data.test = test_name == "train" ? train : test;
  data.train = train_name == "test" ? std::move(test) : std::move(train);
}

void forget_labels(Dataset& data) {
  data.classes.clear();
  for (auto* items : {&data.train, &data.test, data.validation ? &*data.validation : nullptr}) {
    if (items == nullptr) continue;
    for (LabelledItem& item : *items) item.label = -1;
  }
}

void require_classes(const Dataset& data, const std::string& path, const std::string& hint) {
  if (data.classes.size() >= 2) return;
  if (data.classes.empty()) fail(ExitCode::bad_data, "{}: no classes{}", path, hint);
  fail(ExitCode::bad_data, "{}: one class only, '{}', and nothing to tell it from{}", path,
       printable(data.classes[0]), hint);
}

void check_labels(Dataset& data, const std::string& path) {
  if (data.train.empty()) fail(ExitCode::bad_data, "{}: no training pictures", path);
  if (data.classes.empty()) return;
  std::vector<std::int64_t> counts(data.classes.size());
  for (const LabelledItem& item : data.train) ++counts[static_cast<std::size_t>(item.label)];
  std::vector<std::string> empty, filled;
  for (std::size_t c = 0; c < counts.size(); ++c) (counts[c] > 0 ? filled : empty).push_back(data.classes[c]);
  if (filled.size() < 2)
    fail(ExitCode::bad_data,
         "{}: all {} training pictures are of one class, '{}', with nothing to tell it from", path,
         data.train.size(), printable(filled[0]));
  if (empty.empty()) return;
  constexpr std::size_t kShown = 5;
  std::string names;
  for (std::size_t i = 0; i < std::min(empty.size(), kShown); ++i)
    names += (i > 0 ? ", '" : "'") + printable(empty[i]) + "'";
  data.notes.emplace_back(fmt::format("{} of {} classes have no training picture: {}{}", empty.size(),
                                      counts.size(), names, empty.size() > kShown ? ", ..." : ""));
}

namespace {

std::string content_of(const Image& picture) {
  return fmt::format("{} {} {} ", picture.height, picture.width, picture.channels) +
         std::string(picture.pixels.begin(), picture.pixels.end());
}

}  // namespace

std::string PictureStore::content(std::int64_t item) const {
  return content_of(image(item));
}

std::string ImageSource::content(std::int64_t index) const {
  return content_of(image(index));
}

SharedPictures shared_pictures(const PicturePart& part, const PicturePart& others) {
  using Keys = std::vector<std::pair<std::string, std::int64_t>>;  // key, item
  using Look = std::function<std::string(const PictureStore&, std::int64_t)>;
  const auto keys_of = [](const Look& look, const PictureStore& store, Keys some) {
    for (auto& [key, item] : some) {
      try {
        key = sha256_hex(look(store, item));
      } catch (const Error&) {
        key.clear();
      }
    }
    return some;
  };
  const auto keep_common = [](Keys& some, const Keys& wanted) {
    std::unordered_set<std::string> known;
    for (const auto& [key, item] : wanted) known.insert(key);
    std::erase_if(some, [&](const auto& one) { return one.first.empty() || !known.contains(one.first); });
  };
  Keys left, right;
  for (const LabelledItem& one : part.items) left.emplace_back("", one.item);
  for (const LabelledItem& one : others.items) right.emplace_back("", one.item);
  for (const Look& look :
       {Look([](auto&store, std::int64_t item) { return std::to_string(store.content_size(item)); }),
        Look([](auto&store, std::int64_t item) { return store.content_start(item); }),
        Look([](auto&store, std::int64_t item) { return store.content(item); })}) {
    left = keys_of(look, part.store, std::move(left));
    right = keys_of(look, others.store, std::move(right));
    keep_common(left, right);
    keep_common(right, left);
  }
  SharedPictures shared;
  for (const auto& [key, item] : left) shared.items.push_back(item);
  if (left.empty()) return shared;
  shared.other = std::find_if(right.begin(), right.end(), [&](const auto& one) {
                   return one.first == left.front().first;
                 })->second;
  return shared;
}

std::vector<LabelledItem> items_of(const Dataset& data, const DataConfig& config, Split split) {
  if (split == Split::test) return data.test;
  if (split == Split::validation && data.validation) return *data.validation;
  const double held_out_frac = data.validation ? 0 : config.validation;
  if (data.classes.empty()) return unlabelled_items_of(data, held_out_frac, split);
  std::vector<std::int64_t> seen(data.classes.size()), kept(data.classes.size());
  std::vector<LabelledItem> chosen;
  for (const LabelledItem& item : data.train) {
    const auto label = static_cast<std::size_t>(item.label);
    if (held_out(seen[label]++, held_out_frac) != (split == Split::validation)) continue;
    if (split == Split::train && config.per_class > 0 && kept[label]++ >= config.per_class) continue;
    chosen.push_back(item);
  }
  return chosen;
}

std::shared_ptr<const ImageSource> select_split(const Dataset& data, const DataConfig& config, Split split) {
  return std::make_shared<SplitImages>(data, items_of(data, config, split));
}

}  // namespace mgd
