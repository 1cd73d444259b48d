#include "mgd/model/image_model.h"

#include <cmath>

#include "mgd/core/error.h"
#include "mgd/model/architectures.h"

namespace mgd {

namespace {

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

}  // namespace

Architecture checked_architecture(const ModelSpec& spec) {
  check_spec(spec);
  if (spec.build != nullptr) return {.name = {}, .habit = {}, .build = spec.build};
  const Architecture* architecture = find_architecture(spec.architecture);
  if (architecture == nullptr)
    fail(ExitCode::usage, "model: got '{}'{}", spec.architecture,
         suggestion(spec.architecture, known_models()));
  return *architecture;
}

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
  RandomStream random(random_key(seed, "model/init"), 0, 0);
  std::unique_ptr<ImageModel> model = checked_architecture(spec).build(spec, random);
  if (model == nullptr || model->architecture() != spec.architecture)
    fail(ExitCode::usage,
         "own model '{}': its function made {}, expected a network with the spec that it was given",
         spec.architecture, model == nullptr ? "nothing" : "one called '" + model->architecture() + "'");
  model->set_path("");
  model->set_requires_grad(true);
  return model;
}

std::vector<std::string> known_models() {
  std::vector<std::string> names;
  for (const auto family : families())
    for (const Architecture& architecture : family()) names.emplace_back(architecture.name);
  return names;
}

NodeInfo ImageModel::info_of(const std::string&, const at::Tensor& activation) const {
  constexpr std::int64_t kMap = 4, kVector = 2;
  const Axes axes = activation.dim() == kMap      ? Axes::map
                    : activation.dim() == kVector ? Axes::vector
                                                  : Axes::other;
  return {.axes = axes, .sizes = activation.sizes().slice(1).vec()};
}

}  // namespace mgd
