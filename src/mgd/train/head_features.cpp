#include "mgd/train/head_features.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"
#include "mgd/train/even_slices.h"
#include "mgd/train/run.h"

namespace mgd {

namespace {

constexpr std::int64_t kSlice = 32;  // pictures of one pass through the body
constexpr double kMostBytes = 2e9;

ImageModel& student_of(const Run& run) {
  return dynamic_cast<ImageModel&>(*run.student);
}

// The dropouts that stand right before the head, where its input is still that of them: in evaluation they
// pass on what they get.
std::vector<Dropout*> drops_before(ImageModel& model, const std::string& head, const ModelSummary& summary) {
  std::vector<Dropout*> drops;
  const auto at = std::find_if(summary.nodes.begin(), summary.nodes.end(),
                               [&](const LayerSummary& node) { return node.name == head; });
  for (auto node = at; node != summary.nodes.begin();) {
    --node;
    auto* drop = dynamic_cast<Dropout*>(model.find(node->name));
    if (drop == nullptr) break;
    drops.insert(drops.begin(), drop);
  }
  return drops;
}

bool draws_elsewhere(ImageModel& model, const std::vector<Dropout*>& drops) {
  bool found = false;
  model.for_each([&](Module& module) {
    auto* drop = dynamic_cast<Dropout*>(&module);
    if (drop != nullptr && !drop->frozen() && std::find(drops.begin(), drops.end(), drop) == drops.end())
      found = true;
  });
  return found;
}

std::string why_not(const Run& run, const ImageModel& model, const Module* head) {
  if (run.task->num_views() == 0)
    return "the augmentation makes new pictures in every epoch; with data.views=N the frozen body would see "
           "each "
           "picture N times and not again";
  for (const Node& entry : run.config.data.augment)
    if (const std::string& name = entry.find("name")->scalar; name == "mixup" || name == "cutmix")
      return name + " joins pictures anew in every step";
  for (const auto& active : run.losses)
    if (!active.loss->student_taps().empty())
      return "losses." + active.loss->label() + " looks at the student's maps";
  if (!run.node_masks.empty()) return "masks hide parts of the student";
  if (dynamic_cast<const Linear*>(head) == nullptr)
    return fmt::format("the head {} of {} is no linear layer", model.head_path(), model.architecture());
  double floats = static_cast<double>(run.task->num_samples() * run.task->num_views());
  for (const NamedTensor& entry : model.parameters())
    if (entry.name == model.head_path() + ".weight") floats *= static_cast<double>(entry.tensor.size(1));
  if (4 * floats > kMostBytes)
    return fmt::format("the features of all pictures and views would take {:.1f} GB", 4e-9 * floats);
  return "";
}

}  // namespace

std::unique_ptr<HeadFeatures> HeadFeatures::open(Run& run, std::string& why) {
  why.clear();
  if (run.image == nullptr || !run.parts.head_alone || run.parts.frozen_parameters == 0) return nullptr;
  ImageModel& model = student_of(run);
  const std::string path = model.head_path();
  why = why_not(run, model, model.find(path));
  if (!why.empty()) return nullptr;
  std::unique_ptr<HeadFeatures> opened(new HeadFeatures(run, path));
  if (draws_elsewhere(model, opened->drops_))
    why = "a dropout in front of the features draws anew in every step";
  return why.empty() ? std::move(opened) : nullptr;
}

HeadFeatures::HeadFeatures(Run& run, std::string path)
    : path_(std::move(path)),
      head_(dynamic_cast<Linear*>(run.student->find(path_))),
      drops_(drops_before(student_of(run), path_, run.student_summary)),
      num_samples_(run.task->num_samples()),
      known_(static_cast<std::size_t>(run.task->num_views() * num_samples_)) {
  MGD_ASSERT(head_ != nullptr);
}

void HeadFeatures::compute(Run& run, const Batch& batch, const std::vector<std::int64_t>& places) {
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(run.bf16(), run.device);
  for (std::size_t first = 0; first < places.size(); first += kSlice) {
    const std::vector<std::int64_t> some(
        places.begin() + static_cast<std::ptrdiff_t>(first),
        places.begin() + static_cast<std::ptrdiff_t>(std::min(first + kSlice, places.size())));
    const at::Tensor index = at::tensor(some, at::kLong).to(batch.input.device());
    const at::Tensor pictures =
        batch.input.index_select(0, index).contiguous(batch.input.suggest_memory_format());
    Forward forward(/*training=*/false);
    forward.use_winograd(run.config.train.winograd);
    forward.keep_input_of(path_);
    student_of(run).forward(filled_up(pictures, kSlice), forward);
    const at::Tensor rows = forward.kept_input().to(at::kFloat);  // (kSlice, F)
    MGD_ASSERT(rows.dim() == 2);
    if (!features_.defined())
      features_ = at::empty({static_cast<std::int64_t>(known_.size()), rows.size(1)}, rows.options());
    for (std::size_t i = 0; i < some.size(); ++i) {
      const std::int64_t record =
          batch.view * num_samples_ + batch.sample_ids[static_cast<std::size_t>(some[i])];
      features_[record].copy_(rows[static_cast<std::int64_t>(i)]);
      known_[static_cast<std::size_t>(record)] = true;
    }
  }
}

at::Tensor HeadFeatures::features_of(Run& run, const Batch& batch) {
  MGD_ASSERT(batch.view >= 0);
  std::vector<std::int64_t> records, missing;
  for (std::size_t i = 0; i < batch.sample_ids.size(); ++i) {
    records.push_back(batch.view * num_samples_ + batch.sample_ids[i]);
    if (!known_[static_cast<std::size_t>(records.back())]) missing.push_back(static_cast<std::int64_t>(i));
  }
  compute(run, batch, missing);
  return features_.index_select(0, at::tensor(records, at::kLong).to(features_.device()));
}

Record HeadFeatures::forward(Run& run, const Batch& batch, std::int64_t step) {
  at::Tensor x = features_of(run, batch);
  const AutocastGuard autocast(run.bf16(), run.device);
  Forward forward(/*training=*/true);
  forward.draw_from({.seed = static_cast<std::uint64_t>(run.config.run.seed),
                     .step = static_cast<std::uint32_t>(step),
                     .sample_ids = batch.sample_ids});
  for (Dropout* drop : drops_) x = drop->forward(x, forward);
  return {.logits = head_->forward(x, forward)};
}

Figures HeadFeatures::measure(const Run& run, const std::string& split) {
  Split& kept = splits_[split];
  if (!kept.features.defined()) {
    EvalOptions options = run.image->eval_options();
    options.keep_input_of = path_;
    Answers answers = answer_all(student_of(run), *run.image->source(split), options);
    run.image->remember_left_out(answers.corrupt);
    kept = {.features = answers.inputs, .labels = std::move(answers.labels)};
  }
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(run.bf16(), run.device);
  Forward forward(/*training=*/false);
  const at::Tensor logits = head_->forward(kept.features.to(run.device), forward).to(at::kCPU, at::kFloat);
  return figures_of(classify_metrics(logits, kept.labels));
}

std::string HeadFeatures::describe() const {
  return "the body's features are computed once for each picture and view, then the head trains on them";
}

}  // namespace mgd
