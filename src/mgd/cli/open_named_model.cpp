#include "mgd/cli/open_named_model.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/core/input_file.h"
#include "mgd/format/safetensors.h"
#include "mgd/task/identify.h"

namespace mgd {

namespace {

bool is_file_of_answers(const std::string& file) {
  try {
    const InputFile opened(file);
    std::string header(std::min<std::uint64_t>(8, opened.size()), '\0');
    opened.read_at(0, header.data(), header.size());
    header.resize(safetensors_header_bytes(header, opened.size(), file));
    opened.read_at(0, header.data(), header.size());
    return parse_safetensors_header(header, opened.size(), file).metadata.contains("names");
  } catch (const Error&) {
    return false;  // whatever it is, it is told of as weights
  }
}

// A zip that ends with a list of names, constants.pkl among them.
bool is_torch_script(const std::string& file) {
  constexpr std::uint64_t kEnd = 1 << 16;
  const InputFile opened(file);
  std::string start(std::min<std::uint64_t>(4, opened.size()), '\0'),
      end(std::min<std::uint64_t>(kEnd, opened.size()), '\0');
  opened.read_at(0, start.data(), start.size());
  opened.read_at(opened.size() - end.size(), end.data(), end.size());
  return start == "PK\x03\x04" && end.find("/constants.pkl") != std::string::npos;
}

}  // namespace

void refuse_foreign_teachers(const std::string& file) {
  const char* key = is_torch_script(file) ? "script" : is_file_of_answers(file) ? "answers" : nullptr;
  if (key != nullptr)
    fail(ExitCode::usage,
         "{}: {}, which a recipe names as a teacher: `teacher: {{{}: {}}}` (docs/teachers.md)", file,
         std::string_view(key) == "script" ? "TorchScript" : "a file of answers", key, file);
}

namespace {

OpenedModel open_weights(const std::string& file, const std::string& architecture,
                         const WantedClasses& classes) {
  refuse_foreign_teachers(file);
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
