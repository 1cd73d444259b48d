#include "mgd/data/augment.h"

#include <algorithm>

#include "mgd/data/augment_steps.h"
#include "mgd/data/describe_augment.h"

namespace mgd {
namespace {

using Maker = std::unique_ptr<Augmentation> (*)(const Node& entry, const std::string& where);

struct Known {
  const char* name;
  Maker make;                   // nullptr: a mix
  double AugmentChain::*alpha;  // of a mix
  std::vector<OptionInfo> (*options)();
  const char* what;
};

struct Mix {
  double alpha = 1;
  void visit(OptionVisitor& v) {
    v.option("alpha", alpha,
             {.help = "of the Beta(alpha, alpha) that the weight is drawn from",
              .min = 0,
              .max = 100,
              .min_open = true});
  }
};

std::vector<OptionInfo> mix_options() {
  return describe_options<Mix>();
}

constexpr Known kKnown[] = {
    {"color_jitter", make_color_jitter, nullptr, color_jitter_options,
     "brightness, contrast, saturation and hue, changed by chance"},
    {"crop", make_crop, nullptr, crop_options, "pads on each side, then cuts the old size out at random"},
    {"cutmix", nullptr, &AugmentChain::cutmix_alpha, mix_options,
     "a box of another picture, and its share of that picture's label (Yun et al. 2019)"},
    {"cutout", make_cutout, nullptr, cutout_options, "a square blacked out (DeVries and Taylor 2017)"},
    {"flip", make_flip, nullptr, flip_options, "left to right"},
    {"mixup", nullptr, &AugmentChain::mixup_alpha, mix_options,
     "two pictures and their labels, weighted (Zhang et al. 2018)"},
    {"random_resized_crop", make_random_resized_crop, nullptr, random_resized_crop_options,
     "a part of random size and shape, scaled to the size of the model"},
};

void add(AugmentChain& chain, const Node& entry, const std::string& where) {
  const Node* name = entry.find("name");
  const std::string kind = name != nullptr ? name->scalar : "";
  const auto* known =
      std::find_if(std::begin(kKnown), std::end(kKnown), [&](auto& k) { return k.name == kind; });
  if (known == std::end(kKnown))
    fail(ExitCode::usage, "{}{}: unknown augmentation {}{}", place_of(entry.origin), where,
         shown(Node::make_scalar(kind)), suggestion(kind, known_augmentations()));
  if (known->make != nullptr) {
    chain.steps.push_back(known->make(entry, where));
    return;
  }
  if (chain.*known->alpha > 0)
    fail(ExitCode::usage, "{}{}: {} is there twice, expected once", place_of(entry.origin), where, kind);
  Mix mix;
  read_options(without_short_form(entry, where, "alpha"), mix, where, {"name"});
  chain.*known->alpha = mix.alpha;
}

}  // namespace

std::vector<AugmentationDescription> describe_augmentations() {
  std::vector<AugmentationDescription> all;
  for (const Known& known : kKnown)
    all.push_back({.name = known.name, .what = known.what, .options = known.options()});
  return all;
}

std::vector<std::string> known_augmentations() {
  std::vector<std::string> names;
  for (const auto& known : kKnown) names.emplace_back(known.name);
  return names;
}

Node without_short_form(const Node& entry, const std::string& where, const std::string& option) {
  Node out = entry;
  for (auto& [key, value] : out.fields) {
    if (key != "value") continue;
    if (entry.find(option) != nullptr)
      fail(ExitCode::usage, "{}{}: got both 'value' and '{}', expected one", place_of(entry.origin), where,
           option);
    key = option;
  }
  return out;
}

AugmentChain make_augmentations(const std::vector<Node>& entries) {
  AugmentChain chain;
  for (std::size_t i = 0; i < entries.size(); ++i) add(chain, entries[i], fmt::format("data.augment.{}", i));
  return chain;
}

double AugmentChain::shortest_cut() const {
  double least = 0;
  for (const auto& step : steps)
    if (const double cut = step->shortest_cut(); cut > 0) least = least > 0 ? std::min(least, cut) : cut;
  return least;
}

std::vector<PhiloxKey> AugmentChain::keys(std::uint64_t seed) const {
  std::vector<PhiloxKey> out;
  for (std::size_t i = 0; i < steps.size(); ++i)
    out.push_back(random_key(seed, fmt::format("augment/{}", i)));
  return out;
}

void AugmentChain::apply(Image& image, Image& spare, const Draw& draw) const {
  MGD_ASSERT(draw.keys.size() == steps.size());
  for (std::size_t i = 0; i < steps.size(); ++i) {
    RandomStream random(draw.keys[i], draw.epoch, static_cast<std::uint64_t>(draw.sample));
    steps[i]->apply(image, spare, draw.aim, random);
  }
}

}  // namespace mgd
