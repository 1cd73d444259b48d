// Convolutions, their norms and activations in one row of numbers, like an nn.Sequential of plain layers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mgd/model/block.h"

namespace mgd {

// One convolution and what follows it. Each part that is there takes a number of its own: with all three, "0"
// is the convolution, "1" the norm, "2" the activation.
struct ConvUnit {
  Conv2dOptions conv;
  bool norm = true;
  Activation activation = Activation::relu;
};

// "branch2" of ShuffleNetV2, "features" of VGG, "conv1" of the deep stems. Every number is a node; the norm's
// and the activation's are computed together wherever nobody looks between them.
class NumberedLayers : public Block {
 public:
  explicit NumberedLayers(Init init) : init_(init) {}
  void append(const ConvUnit& unit, RandomStream& random);
  void append_max_pool();  // 2 x 2, stride 2
  at::Tensor forward(const at::Tensor& x, Forward& forward) override;

 protected:
  at::Tensor run(const at::Tensor& x, Forward& forward);  // without the node of the whole row
  std::string next_name() { return std::to_string(next_++); }

 private:
  struct Layers {  // a convolution with what follows it, or a pool: the one without a convolution
    Conv2d* conv = nullptr;
    BatchNorm2d* norm = nullptr;
    Activation activation = Activation::none;
    std::string last;  // name of the activation or the pool
  };
  at::Tensor run(const Layers& layers, const at::Tensor& x, Forward& forward);

  Init init_;
  std::int64_t next_ = 0;
  std::vector<Layers> rows_;
};

}  // namespace mgd
