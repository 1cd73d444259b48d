// EfficientNet (Tan and Le, ICML 2019) and its Lite form for integer hardware, under timm's names. The names
// with tf_ are for weights that come from TensorFlow: the same tensors, another padding and another eps.
#include "mgd/model/mobile_net.h"

namespace mgd {

namespace {

constexpr MobileRow kRows[] = {{1, 3, 1, 1, 16, true}, {2, 3, 2, 6, 24, true},  {2, 5, 2, 6, 40, true},
                               {3, 3, 2, 6, 80, true}, {3, 5, 1, 6, 112, true}, {4, 5, 2, 6, 192, true},
                               {1, 3, 1, 6, 320, true}};  // table 1 of the paper
constexpr MobileRow kLiteRows[] = {{1, 3, 1, 1, 16},  {2, 3, 2, 6, 24},  {2, 5, 2, 6, 40}, {3, 3, 2, 6, 80},
                                   {3, 5, 1, 6, 112}, {4, 5, 2, 6, 192}, {1, 3, 1, 6, 320}};

struct Size {
  double width, depth;
};
// Width and depth grow together (section 3.3 of the paper).
constexpr Size kB0{1.0, 1.0}, kB1{1.0, 1.1}, kB2{1.1, 1.2}, kB3{1.2, 1.4}, kB4{1.4, 1.8};

enum class From { pytorch, tensorflow };

MobilePlan plan_of(const Size& size, From from) {
  MobilePlan plan{.rows = kRows, .width = size.width, .depth = size.depth};
  plan.activation = plan.squeeze_activation = Activation::silu;
  plan.style.init = Init::kaiming_group;
  plan.style.same = from == From::tensorflow;
  if (from == From::tensorflow) plan.style.norm.eps = 1e-3;
  return plan;
}

template <const Size& kSize, From kFrom = From::pytorch>
std::unique_ptr<ImageModel> full(const ModelSpec& spec, RandomStream& random) {
  return make_mobile_net(spec, plan_of(kSize, kFrom), random);
}

template <const Size& kSize>
std::unique_ptr<ImageModel> torchvision(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(kSize, From::pytorch);
  plan.spelling = MobileSpelling::torchvision_efficientnet;
  return make_mobile_net(spec, plan, random);
}

// Without squeeze-and-excitation, with relu6, and with the ends of the smallest one at every size.
template <const Size& kSize, From kFrom = From::pytorch>
std::unique_ptr<ImageModel> lite(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(kSize, kFrom);
  plan.rows = kLiteRows;
  plan.activation = Activation::relu6;
  plan.stem_fixed_below = 1e9;
  plan.last_follows = FollowsWidth::no;
  plan.fixed_end_stages = true;
  return make_mobile_net(spec, plan, random);
}

constexpr Habit habit(std::int64_t side, double crop_pct, Levels levels = Levels::imagenet,
                      std::string_view interpolation = "bicubic") {
  return {.side = side, .crop_pct = crop_pct, .interpolation = interpolation, .levels = levels};
}

constexpr auto kTf = From::tensorflow;
constexpr auto kHalf = Levels::half;

constexpr Architecture kEfficientNets[] = {
    {"efficientnet_b0", kBicubicHabit, full<kB0>, torchvision<kB0>},
    {"efficientnet_b1", habit(240, 0.9, kHalf), full<kB1>, torchvision<kB1>},
    {"efficientnet_b2", habit(256, 0.875), full<kB2>, torchvision<kB2>, true},
    {"efficientnet_b3", habit(288, 0.875), full<kB3>, torchvision<kB3>},
    {"efficientnet_b4", habit(320, 0.875), full<kB4>, torchvision<kB4>},
    {"tf_efficientnet_b0", kBicubicHabit, full<kB0, kTf>},
    {"tf_efficientnet_b1", habit(240, 0.882), full<kB1, kTf>},
    {"tf_efficientnet_b2", habit(260, 0.89), full<kB2, kTf>, nullptr, true},
    {"tf_efficientnet_b3", habit(300, 0.904), full<kB3, kTf>},
    {"tf_efficientnet_b4", habit(380, 0.922), full<kB4, kTf>},
    {"efficientnet_lite0", kBicubicHabit, lite<kB0>},
    {"efficientnet_lite1", habit(240, 0.882), lite<kB1>},
    {"efficientnet_lite2", habit(260, 0.89), lite<kB2>, nullptr, true},
    {"efficientnet_lite3", habit(300, 0.904), lite<kB3>},
    {"efficientnet_lite4", habit(380, 0.922), lite<kB4>},
    {"tf_efficientnet_lite0", habit(224, 0.875, kHalf), lite<kB0, kTf>},
    {"tf_efficientnet_lite1", habit(240, 0.882, kHalf), lite<kB1, kTf>},
    {"tf_efficientnet_lite2", habit(260, 0.89, kHalf), lite<kB2, kTf>, nullptr, true},
    {"tf_efficientnet_lite3", habit(300, 0.904, kHalf, "bilinear"), lite<kB3, kTf>},
    {"tf_efficientnet_lite4", habit(380, 0.92, kHalf, "bilinear"), lite<kB4, kTf>},
};

}  // namespace

std::span<const Architecture> efficientnets() {
  return kEfficientNets;
}

}  // namespace mgd
