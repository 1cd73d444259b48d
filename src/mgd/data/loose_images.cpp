#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/image_source.h"
#include "mgd/data/sources.h"
#include "mgd/format/archive_tree.h"

namespace mgd {
namespace {

struct LooseImages final : ImageSource {
  std::vector<std::string> paths, no_classes;
  std::int64_t wanted_channels = 3;
  std::int64_t size() const override { return static_cast<std::int64_t>(paths.size()); }
  std::int64_t channels() const override { return wanted_channels; }
  const std::vector<std::string>& class_names() const override { return no_classes; }
  std::int64_t label(std::int64_t) const override { return -1; }
  std::string name(std::int64_t i) const override { return paths.at(static_cast<std::size_t>(i)); }
  Image image(std::int64_t i) const override {
    return named(i, [this](const std::string& bytes) { return decode_image(bytes, wanted_channels); });
  }
  ImageHeader header(std::int64_t i) const override {
    return named(i, [](const std::string& bytes) { return image_header(bytes); });
  }
  // What `read` makes of the file, or its error with the name of the file in front.
  template <class Read>
  auto named(std::int64_t i, Read&& read) const -> decltype(read(std::string{})) {
    try {
      return read(read_file(name(i), std::uint64_t{1} << 30));
    } catch (const Error& e) {
      throw Error(e.code(), printable(name(i)) + ": " + e.what());
    }
  }
  std::string fingerprint() const override {
    std::string text;
    for (const auto& p : paths) text += fmt::format("{}:{}{};", p.size(), p, fs::file_size(p));
    return sha256_hex(text);
  }
};

}  // namespace

std::shared_ptr<const ImageSource> open_loose_images(const std::vector<std::string>& paths,
                                                     std::int64_t channels) {
  auto out = std::make_unique<LooseImages>();
  out->wanted_channels = channels;
  for (const auto& path : paths) {
    if (!fs::is_directory(path)) {
      require_regular_file(path);
      out->paths.push_back(path);
      continue;
    }
    std::vector<std::string> inside;
    try {
      for (const auto& e : fs::recursive_directory_iterator(path))
        if (e.is_regular_file() && !e.path().filename().string().starts_with(".") &&
            is_picture_name(e.path().string()))
          inside.push_back(e.path().string());
    } catch (const fs::filesystem_error& e) {
      fail(ExitCode::io, "{}: {}", path, e.code().message());
    }
    if (inside.empty()) fail(ExitCode::missing_input, "{}: no .jpg, .jpeg or .png file in this folder", path);
    std::sort(inside.begin(), inside.end());
    out->paths.insert(out->paths.end(), inside.begin(), inside.end());
  }
  return out;
}

}  // namespace mgd
