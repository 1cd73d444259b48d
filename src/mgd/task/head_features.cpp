#include "mgd/task/head_features.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"
#include "mgd/nn/layers.h"
#include "mgd/task/image_task.h"
#include "mgd/teach/even_slices.h"

namespace mgd {

namespace {

constexpr std::int64_t kSlice = 32;  // pictures of one pass through the body
constexpr double kMostBytes = 2e9;

// The dropouts that stand right before the head, where its input is still that of them: in evaluation they
// pass on what they get.
std::vector<Dropout*> drops_before(Model& model, const std::string& head, const ModelSummary& summary) {
  std::vector<Dropout*> drops;
  const auto at = std::find_if(summary.nodes.begin(), summary.nodes.end(),
                               [&](const LayerSummary& node) { return node.name == head; });
  for (auto node = at; node != summary.nodes.begin();) {
    --node;
    auto* drop = as_dropout(model.find(node->name));
    if (drop == nullptr) break;
    drops.insert(drops.begin(), drop);
  }
  return drops;
}

bool draws_elsewhere(Model& model, const std::vector<Dropout*>& drops) {
  bool found = false;
  model.for_each([&](Module& module) {
    auto* drop = as_dropout(&module);
    if (drop != nullptr && !drop->frozen() && std::find(drops.begin(), drops.end(), drop) == drops.end())
      found = true;
  });
  return found;
}

std::string why_not(const HeadFeaturesOptions& o) {
  if (o.num_views == 0)
    return "the augmentation makes new pictures in every epoch; with data.views=N the frozen body would see "
           "each "
           "picture N times and not again";
  if (as_linear(o.student.find(o.head)) == nullptr)
    return fmt::format("the head {} of {} is no linear layer", o.head, o.student.architecture());
  double floats = static_cast<double>(o.num_samples * o.num_views);
  for (const NamedTensor& entry : o.student.parameters())
    if (entry.name == o.head + ".weight") floats *= static_cast<double>(entry.tensor.size(1));
  if (4 * floats > kMostBytes)
    return fmt::format("the features of all pictures and views would take {:.1f} GB", 4e-9 * floats);
  return "";
}

}  // namespace

std::unique_ptr<HeadFeatures> HeadFeatures::open(const HeadFeaturesOptions& options, std::string& why) {
  why = why_not(options);
  if (!why.empty()) return nullptr;
  std::unique_ptr<HeadFeatures> opened(new HeadFeatures(options));
  if (draws_elsewhere(options.student, opened->drops_))
    why = "a dropout in front of the features draws anew in every step";
  return why.empty() ? std::move(opened) : nullptr;
}

HeadFeatures::HeadFeatures(const HeadFeaturesOptions& options)
    : options_(options),
      head_(as_linear(options.student.find(options.head))),
      drops_(drops_before(options.student, options.head, options.summary)),
      known_(static_cast<std::size_t>(options.num_views * options.num_samples)) {
  MGD_ASSERT(head_ != nullptr);
}

void HeadFeatures::compute(const Batch& batch, const std::vector<std::int64_t>& places) {
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(options_.bf16, options_.device);
  for (std::size_t first = 0; first < places.size(); first += kSlice) {
    const std::vector<std::int64_t> some(
        places.begin() + static_cast<std::ptrdiff_t>(first),
        places.begin() + static_cast<std::ptrdiff_t>(std::min(first + kSlice, places.size())));
    const at::Tensor index = at::tensor(some, at::kLong).to(batch.input.device());
    const at::Tensor pictures =
        batch.input.index_select(0, index).contiguous(batch.input.suggest_memory_format());
    Forward forward(/*training=*/false);
    forward.use_winograd(options_.winograd);
    forward.keep_input_of(options_.head);
    Batch slice;
    slice.input = filled_up(pictures, kSlice);
    options_.student.run(slice, forward);
    const at::Tensor rows = forward.kept_input().to(at::kFloat);  // (kSlice, F)
    MGD_ASSERT(rows.dim() == 2);
    if (!features_.defined())
      features_ = at::empty({static_cast<std::int64_t>(known_.size()), rows.size(1)}, rows.options());
    for (std::size_t i = 0; i < some.size(); ++i) {
      const std::int64_t record =
          batch.view * options_.num_samples + batch.sample_ids[static_cast<std::size_t>(some[i])];
      features_[record].copy_(rows[static_cast<std::int64_t>(i)]);
      known_[static_cast<std::size_t>(record)] = true;
    }
  }
}

at::Tensor HeadFeatures::features_of(const Batch& batch) {
  MGD_ASSERT(batch.view >= 0);
  std::vector<std::int64_t> records, missing;
  for (std::size_t i = 0; i < batch.sample_ids.size(); ++i) {
    records.push_back(batch.view * options_.num_samples + batch.sample_ids[i]);
    if (!known_[static_cast<std::size_t>(records.back())]) missing.push_back(static_cast<std::int64_t>(i));
  }
  compute(batch, missing);
  return features_.index_select(0, at::tensor(records, at::kLong).to(features_.device()));
}

Record HeadFeatures::forward(const Batch& batch, std::int64_t step) {
  at::Tensor x = features_of(batch);
  const AutocastGuard autocast(options_.bf16, options_.device);
  Forward forward(/*training=*/true);
  forward.draw_from(
      {.seed = options_.seed, .step = static_cast<std::uint32_t>(step), .sample_ids = batch.sample_ids});
  for (Dropout* drop : drops_) x = drop->forward(x, forward);
  return {.logits = head_->forward(x, forward)};
}

Figures HeadFeatures::measure(const std::string& split) {
  Split& kept = splits_[split];
  if (!kept.features.defined()) {
    Answers answers = options_.answers(split, options_.head);
    kept = {.features = answers.inputs, .labels = std::move(answers.labels)};
  }
  const at::NoGradGuard no_grad;
  const AutocastGuard autocast(options_.bf16, options_.device);
  Forward forward(/*training=*/false);
  const at::Tensor logits =
      head_->forward(kept.features.to(options_.device), forward).to(at::kCPU, at::kFloat);
  return figures_of(classify_metrics(logits, kept.labels));
}

std::string HeadFeatures::describe() const {
  return "the body's features are computed once for each picture and view, then the head trains on them";
}

}  // namespace mgd
