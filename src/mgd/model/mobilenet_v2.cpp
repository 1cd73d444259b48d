// MobileNetV2 (Sandler et al., CVPR 2018), under torchvision's names and under timm's.
#include "mgd/model/mobile_net.h"

namespace mgd {

namespace {

constexpr MobileRow kRows[] = {
    {1, 3, 1, 1, 16}, {2, 3, 2, 6, 24},  {3, 3, 2, 6, 32}, {4, 3, 2, 6, 64},
    {3, 3, 1, 6, 96}, {3, 3, 2, 6, 160}, {1, 3, 1, 6, 320}};  // table 2 of the paper

// The last layer does not shrink with the network (section 4 of the paper).
MobilePlan plan_of(double width) {
  return {.rows = kRows, .width = width, .last_follows = FollowsWidth::upwards};
}

std::unique_ptr<ImageModel> torchvision(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(1);
  plan.spelling = MobileSpelling::torchvision_v2;
  plan.classifier_init = Init::normal_001;
  plan.dropout = 0.2;
  return make_mobile_net(spec, plan, random);
}

constexpr double kThird = 0.35, kHalf = 0.5, kThreeQuarters = 0.75, kOne = 1.0, kMore = 1.4;

template <const double& kWidth>
std::unique_ptr<ImageModel> timm(const ModelSpec& spec, RandomStream& random) {
  MobilePlan plan = plan_of(kWidth);
  plan.style.init = Init::kaiming_group;
  return make_mobile_net(spec, plan, random);
}

constexpr Architecture kMobileNetsV2[] = {
    {"mobilenet_v2", kImageNetHabit, torchvision, timm<kOne>},
    {"mobilenetv2_035", kBicubicHabit, timm<kThird>, nullptr, true},
    {"mobilenetv2_050", kBicubicHabit, timm<kHalf>, nullptr, true},
    {"mobilenetv2_075", kBicubicHabit, timm<kThreeQuarters>, nullptr, true},
    {"mobilenetv2_100", kBicubicHabit, timm<kOne>, torchvision},
    {"mobilenetv2_140", kBicubicHabit, timm<kMore>, nullptr, true},
};

}  // namespace

std::span<const Architecture> mobilenets_v2() {
  return kMobileNetsV2;
}

}  // namespace mgd
