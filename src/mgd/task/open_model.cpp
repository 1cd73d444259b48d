#include "mgd/task/open_model.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/format/safetensors.h"
#include "mgd/io/weight_names.h"
#include "mgd/model/architectures.h"
#include "mgd/task/identify.h"
#include "mgd/task/trusted_script.h"

namespace mgd {

namespace {

ModelSpec spec_of(const ModelFolderInfo& info, const ModelDefaults& defaults) {
  const OwnModel* own = find_own(defaults.own, info.architecture);
  if (own == nullptr && find_architecture(info.architecture) == nullptr)
    fail(ExitCode::usage, "model: got '{}'{}", info.architecture,
         suggestion(info.architecture, known_models(defaults.own)));
  return {.architecture = info.architecture,
          .num_classes = std::max<std::int64_t>(info.num_classes, 1),
          .in_channels = info.in_channels,
          .image_height = info.height,
          .image_width = info.width,
          .width = info.width_multiplier,
          .build = own != nullptr ? own->build : nullptr};
}

std::unique_ptr<ImageModel> model_of(const ModelFolderInfo& info, const ModelDefaults& defaults) {
  return make_model(spec_of(info, defaults), defaults.seed);
}

// A classifier under another name than the model's: the one layer that the model does not know, when its own
// is not there.
void adopt_head(TensorMap& tensors, const ImageModel& model, const std::string& head,
                std::vector<std::string>& notes) {
  if (tensors.contains(head + ".weight")) return;
  std::set<std::string> known, strangers;
  std::int64_t inputs = 0;
  for (const auto& entry : model.state()) {
    known.insert(entry.name);
    if (entry.name == head + ".weight") inputs = entry.tensor.size(1);
  }
  for (const auto& [name, tensor] : tensors)
    if (!known.contains(name)) strangers.insert(name.substr(0, name.rfind('.')));
  if (strangers.size() != 1) return;
  const std::string stranger = *strangers.begin();
  const auto weight = tensors.find(stranger + ".weight");
  if (weight == tensors.end() || weight->second.dim() < 2 || weight->second.size(1) != inputs) return;
  for (const char* part : {".weight", ".bias"}) {
    auto node = tensors.extract(stranger + part);
    if (node.empty()) continue;
    node.key() = head + part;
    tensors.insert(std::move(node));
  }
  notes.push_back(fmt::format("classifier {} read as {}", stranger, head));
}

// `info` says what the weights are; its classes become those wanted.
OpenedModel assemble(ModelFolderInfo info, TensorMap tensors, const ModelDefaults& defaults,
                     const std::string& role, const std::string& source) {
  OpenedModel opened;
  opened.source = source;
  std::string renamed;
  tensors = with_own_names(spec_of(info, defaults), std::move(tensors), renamed);
  if (!renamed.empty()) opened.notes.push_back(std::move(renamed));
  opened.model = model_of(info, defaults);
  const std::string head = opened.model->head_path();
  adopt_head(tensors, *opened.model, head, opened.notes);
  const auto weight = tensors.find(head + ".weight");
  const bool headless = weight == tensors.end();
  if (!headless && info.label_names.empty() && weight->second.dim() > 0)
    info.num_classes = weight->second.size(0);
  FittedClasses fitted = fit_classes(headless ? std::vector<std::string>{} : info.label_names,
                                     headless ? 0 : info.num_classes, defaults.classes, role);
  info.num_classes = fitted.num_classes;
  info.label_names = std::move(fitted.names);
  if (opened.model->spec().num_classes != info.num_classes) opened.model = model_of(info, defaults);
  if (fitted.fresh_head) {
    std::erase_if(tensors, [&](const auto& entry) { return opened.model->of_head(entry.first); });
    for (const auto& entry : opened.model->state())
      if (opened.model->of_head(entry.name)) tensors.emplace(entry.name, entry.tensor.detach());
  } else if (!fitted.rows.empty()) {
    pick_rows(tensors, head, fitted.rows);
  }
  load_state(*opened.model, tensors, source);
  require_finite(*opened.model, source);
  if (!fitted.note.empty()) opened.notes.push_back(std::move(fitted.note));
  opened.no_logits = std::move(fitted.no_logits);
  opened.named = fitted.named;
  opened.info = std::move(info);
  return opened;
}

OpenedModel open_folder(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role) {
  LoadedFolder folder = load_model_folder(config.path);
  std::string note;
  TensorMap tensors = unwrapped_names(std::move(folder.tensors), note);
  OpenedModel opened = assemble(std::move(folder.info), std::move(tensors), defaults, role, config.path);
  if (!note.empty()) opened.notes.insert(opened.notes.begin(), note);
  return opened;
}

ModelFolderInfo info_of(const ModelConfig& config, const ModelDefaults& defaults) {
  return {.architecture = config.model,
          .num_classes = defaults.num_classes,
          .in_channels = defaults.in_channels,
          .height = defaults.height,
          .width = defaults.width,
          .width_multiplier = config.width};
}

}  // namespace

Normalisation default_normalisation(std::int64_t channels) {
  if (channels == 3) return {.mean = {0.485, 0.456, 0.406}, .std = {0.229, 0.224, 0.225}};
  const std::vector<double> half(static_cast<std::size_t>(channels), 0.5);
  return {.mean = half, .std = half};
}

TensorMap load_image_tensors(const std::string& file, std::vector<std::string>& notes) {
  std::string note;
  TensorMap tensors = unwrapped_names(load_tensors(file), note);
  if (!note.empty()) notes.push_back(std::move(note));
  return tensors;
}

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role) {
  if (!config.script.empty()) return open_trusted_script(config, defaults, role);
  if (!config.path.empty()) return open_folder(config, defaults, role);
  if (config.model.empty() && config.weights.empty())
    fail(ExitCode::usage, "{0}: no model given; write {0}: {{model: NAME}} or {0}: MODEL_FOLDER", role);
  if (config.weights.empty()) {
    OpenedModel opened;
    opened.info = info_of(config, defaults);
    opened.model = model_of(opened.info, defaults);
    return opened;
  }
  std::vector<std::string> notes;
  TensorMap tensors = load_image_tensors(config.weights, notes);
  OpenedModel opened = open_model(config, defaults, std::move(tensors), role);
  opened.notes.insert(opened.notes.begin(), notes.begin(), notes.end());
  return opened;
}

OpenedModel open_model(const ModelConfig& config, const ModelDefaults& defaults, TensorMap tensors,
                       const std::string& role) {
  ModelConfig known = config;
  std::string found;
  if (config.model.empty()) {
    Identified identified = identify(tensors, config.weights);
    known.model = std::move(identified.architecture);
    known.width = identified.width;
    found = std::move(identified.note);
  }
  OpenedModel opened = assemble(info_of(known, defaults), std::move(tensors), defaults, role, config.weights);
  if (!found.empty()) opened.notes.insert(opened.notes.begin(), std::move(found));
  return opened;
}

OpenedModel outline_model(const ModelConfig& config, const ModelDefaults& defaults, const std::string& role) {
  if (config.path.empty()) return open_model(config, defaults, role);  // a script tells only when it runs
  OpenedModel opened;
  opened.info = load_model_config(config.path);
  FittedClasses fitted =
      fit_classes(opened.info.label_names, opened.info.num_classes, defaults.classes, role);
  opened.info.num_classes = fitted.num_classes;
  opened.info.label_names = std::move(fitted.names);
  if (!fitted.note.empty()) opened.notes.push_back(std::move(fitted.note));
  opened.no_logits = std::move(fitted.no_logits);
  opened.named = fitted.named;
  opened.model = model_of(opened.info, defaults);
  return opened;
}

std::string hash_of_weights(const ModelConfig& config) {
  if (!config.script.empty()) return config.trust;  // its SHA-256: otherwise it would not have been opened
  const fs::path file = config.path.empty() ? fs::path(config.weights) : weights_of_folder(config.path);
  std::string hashes = sha256_file(file);
  if (!config.path.empty()) hashes += sha256_file(fs::path(config.path) / "config.json");
  if (file.string().ends_with(".index.json")) {
    std::set<std::string> shards;
    for (const auto& [tensor, shard] : parse_shard_index(read_file(file, 100'000'000), file.string()))
      shards.insert(shard);
    for (const std::string& shard : shards) hashes += sha256_file(file.parent_path() / shard);
  }
  return sha256_hex(hashes);
}

std::string fingerprint_of(const Module& module) {
  std::string all;
  for (const auto& entry : module.state()) {
    const at::Tensor bytes = entry.tensor.detach().to(at::kCPU).contiguous();
    all += fmt::format("{}:{}:", entry.name, fmt::join(bytes.sizes(), ","));
    all.append(static_cast<const char*>(bytes.const_data_ptr()), bytes.nbytes());
  }
  return sha256_hex(all);
}

}  // namespace mgd
