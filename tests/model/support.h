// Fixtures of the architectures, and the weights and inputs that follow from a formula
// (scripts/fixtures/make_models.py).
#pragma once

#include <ATen/ops/empty.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>

#include "mgd/model/image_model.h"

namespace mgd {

inline nlohmann::json read_fixture(const std::string& architecture) {
  std::ifstream file(std::string(MGD_SOURCE_DIR "/tests/model/fixtures") + "/" + architecture + ".json");
  EXPECT_TRUE(file) << architecture;
  return nlohmann::json::parse(file);
}

// `shape` values in [-0.5, 0.5), exact in float.
inline at::Tensor pattern(const std::string& name, at::IntArrayRef shape) {
  std::uint32_t salt = 2166136261U;
  for (const char c : name) salt = (salt ^ static_cast<unsigned char>(c)) * 16777619U;
  at::Tensor values = at::empty(shape, at::kDouble);
  auto* data = values.mutable_data_ptr<double>();
  for (std::int64_t i = 0; i < values.numel(); ++i) {
    std::uint32_t h = static_cast<std::uint32_t>(i) * 2654435761U + salt;
    h = (h ^ (h >> 15)) * 2246822507U;
    h ^= h >> 13;
    data[i] = static_cast<double>(h & 0xFFFFU) / 65536.0 - 0.5;
  }
  return values;
}

// What a tensor of this name and shape holds in the fixtures.
inline at::Tensor pattern_weight(const std::string& name, at::IntArrayRef shape) {
  at::Tensor u = pattern(name, shape);
  if (u.dim() > 1) return u.mul_(std::sqrt(24.0 / static_cast<double>(u.numel() / u.size(0))));
  u.mul_(0.5);
  return name.ends_with("running_var") || name.ends_with(".weight") ? u.add_(1.0) : u;
}

inline void fill_with_pattern(ImageModel& model) {
  for (const NamedTensor& entry : model.state())
    if (entry.tensor.scalar_type() != at::kLong)
      entry.tensor.detach().copy_(pattern_weight(entry.name, entry.tensor.sizes()));
}

}  // namespace mgd
