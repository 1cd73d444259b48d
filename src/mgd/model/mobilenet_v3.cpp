// MobileNetV3 (Howard et al., ICCV 2019), small and large, under timm's names and under torchvision's. The
// two libraries' weights are for norms of another eps and other widths, so they are different architectures
// here.
#include "mgd/model/mobile_net.h"

namespace mgd {

namespace {

// Tables 1 and 2 of the paper; expansions as ratios, which give the hidden channels of the tables by eights.
constexpr MobileRow kLarge[] = {{1, 3, 1, 1, 16, false, true},
                                {1, 3, 2, 4, 24, false, true},
                                {1, 3, 1, 3, 24, false, true, true},
                                {3, 5, 2, 3, 40, true, true},
                                {1, 3, 2, 6, 80},
                                {1, 3, 1, 2.5, 80, false, false, true},
                                {2, 3, 1, 2.3, 80, false, false, true},
                                {2, 3, 1, 6, 112, true},
                                {3, 5, 2, 6, 160, true}};
constexpr MobileRow kSmall[] = {
    {1, 3, 2, 1, 16, true, true}, {1, 3, 2, 4.5, 24, false, true},     {1, 3, 1, 3.67, 24, false, true, true},
    {1, 5, 2, 4, 40, true},       {2, 5, 1, 6, 40, true, false, true}, {2, 5, 1, 3, 48, true},
    {3, 5, 2, 6, 96, true}};

enum class Kind { small, large };
enum class From { pytorch, tensorflow };

MobilePlan plan_of(Kind kind) {
  MobilePlan plan{
      .rows = kLarge, .activation = Activation::hardswish, .stem = 16, .last = 960, .hidden = 1280};
  if (kind == Kind::small) {
    plan.rows = kSmall;
    plan.last = 576;
    plan.hidden = 1024;
  }
  plan.squeeze_of_input = false;
  plan.gate = Activation::hardsigmoid;
  return plan;
}

constexpr double kHalf = 0.5, kThreeQuarters = 0.75, kOne = 1.0;

template <Kind kKind, const double& kWidth, From kFrom = From::pytorch>
std::unique_ptr<ImageModel> timm(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(kKind);
  plan.width = kWidth;
  plan.stem_fixed_below = 0.75;
  plan.style.init = Init::kaiming_group;
  plan.style.same = kFrom == From::tensorflow;
  if (kFrom == From::tensorflow) plan.style.norm.eps = 1e-3;
  return make_mobile_net(spec, plan, random);
}

template <Kind kKind>
std::unique_ptr<ImageModel> torchvision(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(kKind);
  plan.spelling = MobileSpelling::torchvision_v3;
  plan.scales_expanded = true;
  plan.hidden_follows = FollowsWidth::yes;
  plan.style.norm = {.eps = 1e-3, .momentum = 0.01};
  plan.classifier_init = Init::normal_001;
  plan.dropout = 0.2;
  return make_mobile_net(spec, plan, random);
}

constexpr Habit kTfHabit{.side = 224, .crop_pct = 0.875, .levels = Levels::half};
constexpr auto kTf = From::tensorflow;
constexpr auto kS = Kind::small;
constexpr auto kL = Kind::large;

constexpr Architecture kMobileNetsV3[] = {
    {"mobilenet_v3_small", kImageNetHabit, torchvision<kS>},
    {"mobilenet_v3_large", kImageNetHabit, torchvision<kL>},
    {"mobilenetv3_small_050", kBicubicHabit, timm<kS, kHalf>, nullptr, true},
    {"mobilenetv3_small_075", kBicubicHabit, timm<kS, kThreeQuarters>, nullptr, true},
    {"mobilenetv3_small_100", kBicubicHabit, timm<kS, kOne>},
    {"mobilenetv3_large_075", kImageNetHabit, timm<kL, kThreeQuarters>, nullptr, true},
    {"mobilenetv3_large_100", kBicubicHabit, timm<kL, kOne>},
    {"tf_mobilenetv3_small_075", kTfHabit, timm<kS, kThreeQuarters, kTf>, nullptr, true},
    {"tf_mobilenetv3_small_100", kTfHabit, timm<kS, kOne, kTf>},
    {"tf_mobilenetv3_large_075", kTfHabit, timm<kL, kThreeQuarters, kTf>, nullptr, true},
    {"tf_mobilenetv3_large_100", kTfHabit, timm<kL, kOne, kTf>},
};

}  // namespace

std::span<const Architecture> mobilenets_v3() {
  return kMobileNetsV3;
}

}  // namespace mgd
