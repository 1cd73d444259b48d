
#include <array>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"
#include "mgd/model/block.h"

namespace mgd {

namespace {

// Pre-activation: norm and relu come before each convolution. Where the shape changes, the shortcut too
// starts from the activated input; elsewhere it is the plain input.
class WideBlock : public Block {
 public:
  WideBlock(std::int64_t in, std::int64_t out, std::int64_t stride, RandomStream& random)
      : bn1_(make_child<BatchNorm2d>("bn1", in)),
        conv1_(make_child<Conv2d>("conv1", conv3x3(in, out, stride), random, Init::kaiming_fan_out)),
        bn2_(make_child<BatchNorm2d>("bn2", out)),
        conv2_(make_child<Conv2d>("conv2", conv3x3(out, out), random, Init::kaiming_fan_out)) {
    if (in != out || stride != 1)
      shortcut_ =
          &make_child<Conv2d>("convShortcut", conv1x1(in, out, stride), random, Init::kaiming_fan_out);
  }

  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    const at::Tensor active = bn1_.forward(x, forward, {Activation::relu});
    at::Tensor y = conv_norm(conv1_, bn2_, active, forward, {Activation::relu});
    y = conv2_.forward(y, forward);
    y = y.add(shortcut_ ? shortcut_->forward(active, forward) : x);
    return forward.node(path(), std::move(y));
  }

 private:
  BatchNorm2d& bn1_;
  Conv2d& conv1_;
  BatchNorm2d& bn2_;
  Conv2d& conv2_;
  Conv2d* shortcut_ = nullptr;
};

// "block1.layer.0": the middle name belongs to the weights' names.
class WideStage : public Block {
 public:
  WideStage(std::int64_t in, std::int64_t out, std::int64_t stride, std::int64_t blocks, RandomStream& random)
      : layer_(make_child<Stage>("layer")) {
    for (std::int64_t i = 0; i < blocks; ++i)
      layer_.append<WideBlock>(i == 0 ? in : out, out, i == 0 ? stride : 1, random);
  }
  at::Tensor forward(const at::Tensor& x, Forward& forward) override {
    return forward.node(path(), layer_.forward(x, forward));
  }

 private:
  Stage& layer_;
};

class WideResNet : public ImageModel {
 public:
  WideResNet(const ModelSpec& spec, std::int64_t blocks, std::int64_t widen, RandomStream& random)
      : ImageModel(spec),
        conv1_(make_child<Conv2d>("conv1", conv3x3(spec.in_channels, scaled_channels(16, spec)), random,
                                  Init::kaiming_fan_out)) {
    std::int64_t in = scaled_channels(16, spec);
    for (std::size_t s = 0; s < stages_.size(); ++s) {
      const std::int64_t out = scaled_channels((std::int64_t{16} << s) * widen, spec);
      stages_[s] =
          &make_child<WideStage>("block" + std::to_string(s + 1), in, out, s == 0 ? 1 : 2, blocks, random);
      in = out;
    }
    bn1_ = &make_child<BatchNorm2d>("bn1", in);
    fc_ = &make_child<Linear>("fc", in, spec.num_classes, random);
    for (const NamedTensor& entry : fc_->parameters())
      if (entry.kind == TensorKind::bias) entry.tensor.detach().zero_();
  }

  at::Tensor forward(at::Tensor input, Forward& forward) override {
    at::Tensor x = conv1_.forward(model_input(std::move(input), spec(), forward), forward);
    for (WideStage* stage : stages_) x = stage->forward(x, forward);
    x = bn1_->forward(x, forward, {Activation::relu});
    return fc_->forward(global_pool(x, forward), forward);
  }

  std::string default_tap() const override { return "block3"; }

 private:
  Conv2d& conv1_;
  std::array<WideStage*, 3> stages_{};
  BatchNorm2d* bn1_ = nullptr;
  Linear* fc_ = nullptr;
};

}  // namespace

std::unique_ptr<ImageModel> make_wide_resnet(const ModelSpec& spec, std::int64_t depth, std::int64_t widen,
                                             RandomStream& random) {
  MGD_ASSERT(depth >= 10 && (depth - 4) % 6 == 0 && widen >= 1);
  return std::make_unique<WideResNet>(spec, (depth - 4) / 6, widen, random);
}

}  // namespace mgd
