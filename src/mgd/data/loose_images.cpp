#include <cmath>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/image_source.h"
#include "mgd/data/picture_names.h"
#include "mgd/data/source_lines.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

struct LooseImages final : ImageSource {
  std::vector<std::string> paths, no_classes;
  std::map<std::string, std::int64_t> unused;
  std::int64_t wanted_channels = 3;
  ImageLimits limits;
  static constexpr std::uint64_t kMostBytes = std::uint64_t{1} << 30;

  std::int64_t size() const override { return static_cast<std::int64_t>(paths.size()); }
  std::int64_t channels() const override { return wanted_channels; }
  const std::vector<std::string>& class_names() const override { return no_classes; }
  std::int64_t label(std::int64_t) const override { return -1; }
  std::string name(std::int64_t i) const override { return paths.at(static_cast<std::size_t>(i)); }
  std::map<std::string, std::int64_t> unused_files() const override { return unused; }
  Image image(std::int64_t i) const override {
    return named(i,
                 [this](const std::string& bytes) { return decode_image(bytes, wanted_channels, limits); });
  }
  ImageHeader header(std::int64_t i) const override {
    return named(i, [](const std::string& bytes) { return header_of(bytes); });
  }
  // What `read` makes of the file, or its error with the name of the file in front.
  template <class Read>
  auto named(std::int64_t i, Read&& read) const -> decltype(read(std::string{})) {
    try {
      return read(read_file(name(i), kMostBytes));
    } catch (const Error& e) {
      throw Error(e.code(), printable(name(i)) + ": " + e.what());
    }
  }
  std::string fingerprint() const override {
    std::string text;
    std::error_code error;
    for (const auto& p : paths) text += fmt::format("{}:{}{};", p.size(), p, fs::file_size(p, error));
    return sha256_hex(text);
  }

  void add_folder(const std::string& path) {
    const auto tree = open_folder(path, is_picture_name, kMostBytes);
    for (const auto& name : tree->others())
      ++unused[ending_of(name).empty() ? "without an ending" : ending_of(name)];
    if (tree->entries().empty())
      fail(ExitCode::missing_input, "{}: no picture ({}) in this folder{}", path, picture_endings(),
           unused.empty() ? "" : ", but " + unused_text(unused));
    for (const auto& entry : tree->entries()) paths.push_back((fs::path(path) / entry.name).string());
  }
};

}  // namespace

std::shared_ptr<const ImageSource> open_loose_images(const std::vector<std::string>& paths,
                                                     std::int64_t channels, double max_megapixels) {
  auto out = std::make_unique<LooseImages>();
  out->wanted_channels = channels;
  out->limits.max_pixels = static_cast<std::int64_t>(std::llround(max_megapixels * 1e6));
  for (const auto& path : paths) {
    std::error_code error;
    if (fs::is_directory(path, error)) {
      out->add_folder(path);
    } else {
      require_regular_file(path);
      out->paths.push_back(path);
    }
  }
  return out;
}

}  // namespace mgd
