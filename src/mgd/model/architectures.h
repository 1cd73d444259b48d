// The families of architectures; the list of names stands in model.cpp. `random` initialises, in the order of
// definition.
#pragma once

#include <cstdint>
#include <memory>

#include "mgd/core/philox.h"
#include "mgd/model/image_model.h"

namespace mgd {

// He et al. 2015, section 4.2: depth 6n + 2, widths 16/32/64, parameter-free shortcuts (option A).
std::unique_ptr<ImageModel> make_cifar_resnet(const ModelSpec& spec, std::int64_t depth,
                                              RandomStream& random);

// The "x4" ResNets of the distillation literature (Tian et al. 2020): depth 6n + 2, stem 32, widths
// 64/128/256, projection shortcuts (option B).
std::unique_ptr<ImageModel> make_resnet_x4(const ModelSpec& spec, std::int64_t depth, RandomStream& random);

// Zagoruyko and Komodakis 2016, without dropout: depth 6n + 4, stem 16, widths 16/32/64 times `widen`.
std::unique_ptr<ImageModel> make_wide_resnet(const ModelSpec& spec, std::int64_t depth, std::int64_t widen,
                                             RandomStream& random);

// He et al. 2015 for ImageNet, with torchvision's stride on the 3x3 convolution: depth 18, 34, 50 or 101.
std::unique_ptr<ImageModel> make_resnet(const ModelSpec& spec, std::int64_t depth, RandomStream& random);

// Sandler et al. 2018.
std::unique_ptr<ImageModel> make_mobilenet_v2(const ModelSpec& spec, RandomStream& random);

}  // namespace mgd
