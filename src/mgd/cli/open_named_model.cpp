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

OpenedModel open_weights(const std::string& file, std::string architecture, const WantedClasses& classes) {
  std::vector<std::string> notes;
  TensorMap tensors = load_image_tensors(file, notes);
  const WeightBorders borders = borders_of(tensors);
  const ModelDefaults defaults{
      .num_classes = borders.classes, .in_channels = borders.channels, .classes = classes};
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
  OpenedModel opened =
      open_model({.model = architecture, .weights = file}, defaults, std::move(tensors), file);
  opened.notes.insert(opened.notes.begin(), notes.begin(), notes.end());
  return opened;
}

OpenedModel open_any(const std::string& model, const std::string& architecture, bool allow_fresh,
                     const WantedClasses& classes) {
  if (fs::is_directory(model)) return open_model({.path = model}, {.classes = classes}, model);
  if (fs::exists(model)) return open_weights(model, architecture, classes);
  const auto known = known_models();
  if (allow_fresh && std::find(known.begin(), known.end(), model) != known.end())
    return open_model({.model = model}, {}, "model");
  const std::string hint = allow_fresh ? suggestion(model, known) : "";
  fail(ExitCode::missing_input, "{}: no such model folder or weights file{}", model, hint);
}

}  // namespace

OpenedModel open_named_model(const std::string& model, const std::string& architecture, bool allow_fresh,
                             const std::vector<std::string>& classes) {
  OpenedModel opened = open_any(model, architecture, allow_fresh, {.unnamed = classes});
  if (!classes.empty() && !opened.named)
    fail(ExitCode::usage, "--classes: {} names; {} has {} classes{}", classes.size(), model,
         opened.info.num_classes, opened.info.label_names.empty() ? "" : " with names of their own");
  return opened;
}

void fill_normalisation(ModelFolderInfo& info) {
  const Normalisation usual = default_normalisation(info.in_channels);
  if (info.mean.empty()) info.mean = usual.mean;
  if (info.std.empty()) info.std = usual.std;
}

}  // namespace mgd
