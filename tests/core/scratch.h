// An empty folder for one test, removed with it.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <string>

namespace mgd {

class Scratch : public testing::Test {
 protected:
  Scratch() : folder(std::filesystem::path(testing::TempDir()) / ("mgd_core_" + std::to_string(::getpid()))) {
    empty();
  }
  ~Scratch() override { std::filesystem::remove_all(folder); }

  void empty() const {
    std::filesystem::remove_all(folder);
    std::filesystem::create_directories(folder);
  }

  const std::filesystem::path folder;
};

}  // namespace mgd
