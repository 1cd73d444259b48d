// A folder for one test, a module with one tensor of every kind, and errors as values.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/zeros.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <memory>
#include <string>

#include "expect_error.h"
#include "mgd/core/error.h"
#include "mgd/nn/module.h"

namespace mgd {

namespace fs = std::filesystem;

class Scratch : public testing::Test {
 protected:
  Scratch() : folder(fs::path(testing::TempDir()) / ("mgd_io_" + std::to_string(::getpid()))) {
    fs::remove_all(folder);
    fs::create_directories(folder);
  }
  ~Scratch() override { fs::remove_all(folder); }
  std::string write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder / name, std::ios::binary) << bytes;
    return (folder / name).string();
  }
  const fs::path folder;
};

class Small : public Module {
 public:
  explicit Small(int num_extra = 0) {
    add_parameter("weight", at::zeros({2, 3}), TensorKind::weight);
    add_parameter("bias", at::zeros({2}), TensorKind::bias);
    add_buffer("running_mean", at::zeros({2}));
    add_buffer("num_batches_tracked", at::zeros({}, at::kLong));
    for (int i = 0; i < num_extra; ++i)
      add_parameter("extra" + std::to_string(i), at::zeros({1}), TensorKind::weight);
    set_requires_grad(true);
  }
};

}  // namespace mgd
