// What an architecture is used to see: the size and preparation of pictures where neither a recipe nor a
// model folder says anything.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace mgd {

// The middle `crop_pct` of the shorter side, scaled to height x width; then (level - mean) / std of levels in
// [0, 1], three channels.
struct InputHabit {
  std::int64_t height = 0, width = 0;
  double crop_pct = 1.0;
  std::string interpolation;  // "bilinear", "bicubic"
  std::vector<double> mean, std;
};

// Of the library that the architecture's names come from. Throws Error(usage) for an unknown architecture,
// naming the nearest known one.
InputHabit input_habit(std::string_view architecture);

}  // namespace mgd
