// A dataset in memory, and helpers that the tests of this folder share.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "mgd/core/error.h"
#include "mgd/data/image_source.h"
#include "mgd/data/loader.h"

namespace mgd {

// `count` small pictures (6 x 5 RGB) of three classes; `hook` runs before each picture is given.
class Toy final : public ImageSource {
 public:
  explicit Toy(std::set<std::int64_t> bad = {}, std::function<void(std::int64_t)> hook = {})
      : bad_(std::move(bad)), hook_(std::move(hook)) {}
  std::int64_t size() const override { return 23; }
  std::int64_t channels() const override { return 3; }
  const std::vector<std::string>& class_names() const override { return names_; }
  std::int64_t label(std::int64_t i) const override { return i % 3; }
  std::string name(std::int64_t i) const override { return fmt::format("toy/{}.png", i); }
  Image image(std::int64_t i) const override {
    if (hook_) hook_(i);
    if (bad_.contains(i)) throw Error(ExitCode::bad_data, "truncated");
    Image out{6, 5, 3, {}};
    for (int p = 0; p < 90; ++p) out.pixels.push_back(static_cast<std::uint8_t>(p + i * 5));
    return out;
  }
  std::string fingerprint() const override { return "toy"; }

 private:
  std::set<std::int64_t> bad_;
  std::function<void(std::int64_t)> hook_;
  std::vector<std::string> names_{"a", "b", "c"};
};

// The entries of `data.augment: YAML`, as a recipe gives them.
struct AugmentOptions {
  std::vector<Node> augment;
  void visit(OptionVisitor& v) { v.entries("augment", augment, {}); }
};
inline std::vector<Node> entries_of(const std::string& yaml) {
  AugmentOptions options;
  read_options(parse_yaml("augment: " + yaml, "recipe.yaml"), options, "data");
  return options.augment;
}
inline AugmentChain chain_of(const std::string& yaml) {
  return make_augmentations(entries_of(yaml));
}

template <class F>
void expect_error(F&& f, ExitCode code, const std::vector<std::string>& parts) {
  try {
    f();
    ADD_FAILURE() << "no error";
  } catch (const Error& e) {
    EXPECT_EQ(e.code(), code) << e.what();
    for (const auto& part : parts) EXPECT_THAT(e.what(), testing::HasSubstr(part));
  }
}

// A folder that is removed at the end of the test.
class TempFolder {
 public:
  TempFolder() {
    std::string path = (std::filesystem::temp_directory_path() / "mgd-data-XXXXXX").string();
    path_ = ::mkdtemp(path.data());
  }
  ~TempFolder() { std::filesystem::remove_all(path_); }
  TempFolder(const TempFolder&) = delete;
  TempFolder& operator=(const TempFolder&) = delete;
  std::string file(const std::string& name) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    return (path_ / name).string();
  }
  std::string path() const { return path_.string(); }

 private:
  std::filesystem::path path_;
};

}  // namespace mgd
