#include "mgd/cli/open_named_model.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/task/identify.h"

namespace mgd {

namespace {

OpenedModel open_weights(const std::string& file, const std::string& architecture,
                         const WantedClasses& classes) {
  std::vector<std::string> notes;
  TensorMap tensors = load_image_tensors(file, notes);
  ModelConfig config{.model = architecture, .weights = file};
  if (architecture.empty()) {
    Identified found = identify(tensors, file);
    config.model = std::move(found.architecture);
    config.width = found.width;
    notes.push_back(std::move(found.note));
  } else {
    config.width = width_of(architecture, tensors);
  }
  const WeightBorders borders = borders_of(config.model, tensors);
  const ModelDefaults defaults{
      .num_classes = borders.classes, .in_channels = borders.channels, .classes = classes};
  OpenedModel opened = open_model(config, defaults, std::move(tensors), file);
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
                             const std::vector<std::string>& classes, HeadUse use) {
  OpenedModel opened = open_any(model, architecture, allow_fresh, {.use = use, .unnamed = classes});
  if (!classes.empty() && !opened.named)
    fail(ExitCode::usage, "--classes: {} names; {} has {} classes{}", classes.size(), model,
         opened.info.num_classes, opened.info.label_names.empty() ? "" : " with names of their own");
  return opened;
}

}  // namespace mgd
