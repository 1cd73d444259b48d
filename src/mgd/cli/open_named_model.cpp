#include "mgd/cli/open_named_model.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"

namespace mgd {

namespace {

bool same_tensors(const Module& module, const TensorMap& tensors) {
  std::size_t matched = 0;
  for (const auto& entry : module.state()) {
    const auto it = tensors.find(entry.name);
    const bool optional = entry.name.ends_with("num_batches_tracked");
    if (it == tensors.end() ? !optional : it->second.sizes() != entry.tensor.sizes()) return false;
    matched += it != tensors.end() ? 1 : 0;
  }
  return matched == tensors.size();
}

// The classes and channels a file was made for are the outer sizes of its last and first weights.
struct Borders {
  std::int64_t classes = 10, channels = 3;
};
Borders borders_of(const TensorMap& tensors) {
  Borders b;
  for (const char* name : {"linear.weight", "fc.weight", "classifier.1.weight"})
    if (auto it = tensors.find(name); it != tensors.end() && it->second.dim() == 2)
      b.classes = it->second.size(0);
  for (const char* name : {"conv1.weight", "features.0.0.weight"})
    if (auto it = tensors.find(name); it != tensors.end() && it->second.dim() == 4)
      b.channels = it->second.size(1);
  return b;
}

OpenedModel open_weights(const std::string& file, std::string architecture) {
  const TensorMap tensors = load_tensors(file);
  const Borders borders = borders_of(tensors);
  const ModelDefaults defaults{.num_classes = borders.classes, .in_channels = borders.channels};
  if (architecture.empty()) {
    for (const auto& name : known_models()) {
      const auto candidate = make_model(
          {.architecture = name, .num_classes = borders.classes, .in_channels = borders.channels}, 1);
      if (same_tensors(*candidate, tensors)) architecture = name;
      if (!architecture.empty()) break;
    }
    if (architecture.empty())
      fail(ExitCode::usage, "{}: its tensors fit no architecture of default width; name it with --model",
           file);
  }
  return open_model({.model = architecture, .weights = file}, defaults, "model");
}

}  // namespace

OpenedModel open_named_model(const std::string& model, const std::string& architecture, bool allow_fresh) {
  if (fs::is_directory(model)) return open_model({.path = model}, {}, "model");
  if (fs::exists(model)) return open_weights(model, architecture);
  const auto known = known_models();
  if (allow_fresh && std::find(known.begin(), known.end(), model) != known.end())
    return open_model({.model = model}, {}, "model");
  const std::string hint = allow_fresh ? suggestion(model, known) : "";
  fail(ExitCode::missing_input, "{}: no such model folder or weights file{}", model, hint);
}

void fill_normalisation(ModelFolderInfo& info) {
  const auto channels = static_cast<std::size_t>(info.in_channels);
  if (info.mean.empty())
    info.mean = channels == 3 ? std::vector{0.485, 0.456, 0.406} : std::vector<double>(channels, 0.5);
  if (info.std.empty())
    info.std = channels == 3 ? std::vector{0.229, 0.224, 0.225} : std::vector<double>(channels, 0.5);
}

}  // namespace mgd
