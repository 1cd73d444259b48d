#include "mgd/data/picture_names.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <string_view>

namespace mgd {
namespace {

constexpr std::array<std::string_view, 11> kEndings = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".webp",
                                                       ".bmp", ".dib",  ".tif", ".tiff", ".gif"};

}  // namespace

std::string base_name(const std::string& name) {
  return name.substr(name.rfind('/') + 1);
}

std::string ending_of(const std::string& name) {
  const std::string base = base_name(name);
  const auto dot = base.rfind('.');
  if (dot == std::string::npos) return "";
  std::string ending = base.substr(dot);
  for (char& c : ending) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return ending;
}

bool is_picture_name(const std::string& name) {
  return std::find(kEndings.begin(), kEndings.end(), ending_of(name)) != kEndings.end();
}

std::string picture_endings() {
  std::string text;
  for (const auto ending : kEndings) text += (text.empty() ? "" : ", ") + std::string(ending);
  return text;
}

}  // namespace mgd
