#include "mgd/model/image_model.h"

#include <charconv>
#include <cmath>
#include <optional>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"

namespace mgd {

namespace {

using Build = std::unique_ptr<ImageModel> (*)(const ModelSpec&, std::int64_t depth, RandomStream&);

struct Entry {
  const char* name;
  std::int64_t depth;
  Build build;
};

std::unique_ptr<ImageModel> build_mobilenet_v2(const ModelSpec& spec, std::int64_t, RandomStream& random) {
  return make_mobilenet_v2(spec, random);
}

constexpr Entry kModels[] = {
    {"cifar_resnet8", 8, make_cifar_resnet},
    {"cifar_resnet14", 14, make_cifar_resnet},
    {"cifar_resnet20", 20, make_cifar_resnet},
    {"cifar_resnet32", 32, make_cifar_resnet},
    {"cifar_resnet44", 44, make_cifar_resnet},
    {"cifar_resnet56", 56, make_cifar_resnet},
    {"cifar_resnet110", 110, make_cifar_resnet},
    {"resnet8x4", 8, make_resnet_x4},
    {"resnet14x4", 14, make_resnet_x4},
    {"resnet20x4", 20, make_resnet_x4},
    {"resnet32x4", 32, make_resnet_x4},
    {"resnet18", 18, make_resnet},
    {"resnet34", 34, make_resnet},
    {"resnet50", 50, make_resnet},
    {"resnet101", 101, make_resnet},
    {"mobilenet_v2", 0, build_mobilenet_v2},
};

// The usual sizes, for listings and suggestions; wrn_{depth}_{widen} takes others too.
constexpr const char* kWideModels[] = {"wrn_10_1", "wrn_16_1",  "wrn_16_2", "wrn_16_4",
                                       "wrn_28_2", "wrn_28_10", "wrn_40_1", "wrn_40_2"};

// 1 ... 9999; nothing for anything else.
std::optional<std::int64_t> small_number(std::string_view text) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > 9999)
    return std::nullopt;
  return value;
}

struct WideSize {
  std::int64_t depth, widen;
};

// wrn_{depth}_{widen} -> its numbers; nothing when the name is not of that form.
std::optional<WideSize> wide_size(std::string_view name) {
  constexpr std::string_view kPrefix = "wrn_";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const std::size_t bar = name.find('_');
  if (bar == std::string_view::npos) return std::nullopt;
  const auto depth = small_number(name.substr(0, bar)), widen = small_number(name.substr(bar + 1));
  if (!depth || !widen) return std::nullopt;
  return WideSize{*depth, *widen};
}

std::unique_ptr<ImageModel> build_wide(const ModelSpec& spec, WideSize size, RandomStream& random) {
  if (size.depth < 10 || (size.depth - 4) % 6 != 0)
    fail(ExitCode::usage, "model '{}': depth: got {}, expected 4 + 6 n, such as 10, 16, 22, 28 or 40{}",
         spec.architecture, size.depth, suggestion(spec.architecture, known_models()));
  if (size.depth > 1000 || size.widen > 64)
    fail(ExitCode::usage, "model '{}': got depth {} and width {}, expected at most 1000 and 64",
         spec.architecture, size.depth, size.widen);
  return make_wide_resnet(spec, size.depth, size.widen, random);
}

void check_spec(const ModelSpec& spec) {
  auto check_count = [&](const char* what, std::int64_t value, std::int64_t most) {
    if (value < 1 || value > most)
      fail(ExitCode::usage, "model '{}': {}: got {}, expected 1 to {}", spec.architecture, what, value, most);
  };
  check_count("num_classes", spec.num_classes, 10'000'000);
  check_count("in_channels", spec.in_channels, 65536);
  check_count("image_height", spec.image_height, 65536);
  check_count("image_width", spec.image_width, 65536);
  if (!std::isfinite(spec.width) || spec.width <= 0 || spec.width > 64)
    fail(ExitCode::usage, "model '{}': width: got {}, expected above 0 and at most 64", spec.architecture,
         spec.width);
}

std::unique_ptr<ImageModel> build(const ModelSpec& spec, RandomStream& random) {
  for (const Entry& entry : kModels)
    if (spec.architecture == entry.name) return entry.build(spec, entry.depth, random);
  if (const auto size = wide_size(spec.architecture)) return build_wide(spec, *size, random);
  fail(ExitCode::usage, "model: got '{}'{}", spec.architecture,
       suggestion(spec.architecture, known_models()));
}

}  // namespace

std::string ImageModel::head_path() const {
  std::string last;
  for (const NamedTensor& entry : parameters())
    if (entry.kind == TensorKind::weight) last = entry.name;
  constexpr std::string_view kWeight = ".weight";
  MGD_ASSERT(last.ends_with(kWeight));
  return last.substr(0, last.size() - kWeight.size());
}

bool ImageModel::of_head(const std::string& tensor) const {
  return tensor.starts_with(head_path() + ".");
}

std::unique_ptr<ImageModel> make_model(const ModelSpec& spec, std::uint64_t seed) {
  check_spec(spec);
  RandomStream random(random_key(seed, "model/init"), 0, 0);
  std::unique_ptr<ImageModel> model = build(spec, random);
  model->set_path("");
  model->set_requires_grad(true);
  return model;
}

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const Entry& entry : kModels) names.emplace_back(entry.name);
  for (const char* name : kWideModels) names.emplace_back(name);
  return names;
}

}  // namespace mgd
