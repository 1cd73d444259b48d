// The table of architectures: a list a family, one line a size. A family lies in a file of its own, exports
// its list here, and stands in the list of families of architectures.cpp.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "mgd/core/philox.h"
#include "mgd/model/image_model.h"
#include "mgd/model/outline.h"

namespace mgd {

enum class Levels { imagenet, half };  // mean 0.485/0.456/0.406 and std 0.229/0.224/0.225, or 0.5 everywhere

// InputHabit in the form of a constant.
struct Habit {
  std::int64_t side = 0;
  double crop_pct = 1.0;
  std::string_view interpolation = "bilinear";
  Levels levels = Levels::imagenet;
};

inline constexpr Habit kCifarHabit{.side = 32};
inline constexpr Habit kImageNetHabit{.side = 224, .crop_pct = 0.875};  // torchvision's first weights
inline constexpr Habit kBicubicHabit{.side = 224, .crop_pct = 0.875, .interpolation = "bicubic"};

using OtherTensor = TensorOutline(const TensorOutline& own);

struct Architecture {
  std::string_view name;
  Habit habit;
  BuildModel* build = nullptr;
  // The same network under the tensor names of another library: the same tensors in the same order of
  // definition, of the same shapes but for sides of 1. Null where there are no such names.
  BuildModel* other_names = nullptr;
  bool only_wider = false;  // another row of the table has the same layers, of other widths
  // In place of other_names: a rule for each tensor, that gives its name and shape there.
  OtherTensor* other_tensor = nullptr;
};

// He et al. 2015, section 4.2: depth 6n + 2, widths 16/32/64, parameter-free shortcuts (option A).
std::span<const Architecture> cifar_resnets();

// The CIFAR ResNets of the distillation literature under its names (Tian et al. 2020): depth 6n + 2,
// projection shortcuts (option B), a classifier called fc; "x4" has stem 32 and widths 64/128/256.
std::span<const Architecture> projected_cifar_resnets();

// Zagoruyko and Komodakis 2016, without dropout: depth 6n + 4, stem 16, widths 16/32/64 times `widen`. The
// usual sizes; wrn_{depth}_{widen} is built for others, too.
std::span<const Architecture> wide_resnets();
bool is_wide_resnet_name(std::string_view name);

// He et al. 2015 for ImageNet, with torchvision's stride on the 3x3 convolution, and what grew out of it: D,
// ResNeXt, wide and SE.
std::span<const Architecture> resnets();

// Radosavovic et al. 2020.
std::span<const Architecture> regnets();

// Simonyan and Zisserman 2015.
std::span<const Architecture> vggs();

// Huang et al. 2017.
std::span<const Architecture> densenets();

// Ma et al. 2018.
std::span<const Architecture> shufflenets_v2();

// Liu et al. 2022.
std::span<const Architecture> convnexts();

// Sandler et al. 2018.
std::span<const Architecture> mobilenets_v2();

// Howard et al. 2019.
std::span<const Architecture> mobilenets_v3();

// Tan and Le 2019.
std::span<const Architecture> efficientnets();

// Han et al. 2020.
std::span<const Architecture> ghostnets();

// Every family, in the order of listings.
std::span<std::span<const Architecture> (*const)()> families();

// Null for a name that nobody knows.
const Architecture* find_architecture(std::string_view name);

// The architecture of a spec, without a name of its own where the spec says how it is built. Throws
// Error(usage) for a spec out of range and for an unknown architecture.
Architecture checked_architecture(const ModelSpec& spec);

}  // namespace mgd
