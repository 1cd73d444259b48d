// Image classifiers by name.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "mgd/model/model.h"

namespace mgd {

class ImageModel;
class RandomStream;
struct ModelSpec;

// `random` initialises, in the order of definition.
using BuildModel = std::unique_ptr<ImageModel>(const ModelSpec& spec, RandomStream& random);

struct ModelSpec {
  std::string architecture;  // "cifar_resnet56", "resnet18", "wrn_40_2", "mobilenet_v2", ...
  std::int64_t num_classes = 10;
  std::int64_t in_channels = 3;
  std::int64_t image_height =
      32;  // what it is meant for: any size runs, this one is used to count and to describe
  std::int64_t image_width = 32;
  // Multiplier of every channel count, each rounded to the nearest whole number >= 1; MobileNets round to
  // multiples of 8 and keep their last layer, as their paper does.
  double width = 1.0;
  BuildModel* build = nullptr;  // of a network that a program brings along (model/own_model.h); null: by name
};

class ImageModel : public Model {
 public:
  explicit ImageModel(ModelSpec spec) : spec_(std::move(spec)) {}
  const ModelSpec& spec() const { return spec_; }
  const std::string& architecture() const final { return spec_.architecture; }

  // input (B, C, Y, X) -> logits (B, K). Nodes are named by layer path; "input" is the batch itself.
  virtual at::Tensor forward(at::Tensor input, Forward& forward) = 0;

  // Path of the layer that gives the logits, a Linear or a convolution 1x1 with one row of its tensors for
  // each class: the last layer that was defined. An architecture that defines something after it says so
  // here.
  std::string head_path() const override;
  bool of_head(const std::string& tensor) const final;

  NodeInfo info_of(const std::string& node, const at::Tensor& activation) const final;

 protected:
  Record answer(const Batch& batch, Forward& forward) final {
    return {.logits = this->forward(batch.input, forward)};
  }

 private:
  ModelSpec spec_;
};

// Initialised from (seed), with paths set and every parameter requiring a gradient. Throws Error(usage) for a
// spec out of range and for an unknown architecture, naming the nearest known one.
std::unique_ptr<ImageModel> make_model(const ModelSpec& spec, std::uint64_t seed);

// Every name make_model takes, except that wrn_{depth}_{widen} with other numbers works too (depth = 4 + 6
// n).
std::vector<std::string> known_models();

}  // namespace mgd
