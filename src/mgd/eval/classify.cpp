#include "mgd/eval/classify.h"

#include <ATen/core/Tensor.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "mgd/core/clock.h"
#include "mgd/core/error.h"
#include "mgd/nn/autocast.h"

namespace mgd {
namespace {

LoaderOptions loader_options(const EvalOptions& options) {
  LoaderOptions loader;
  loader.batch_size = options.batch_size;
  loader.threads = options.loader_threads;
  loader.mean = options.mean;
  loader.std = options.std;
  loader.height = options.height;
  loader.width = options.width;
  loader.view = options.view;
  loader.cache_mb = 0;  // every picture is looked at once
  loader.replace_corrupt = false;
  return loader;
}

// (B, C, ...) -> (B, C) float on the CPU.
at::Tensor mean_over_positions(const at::Tensor& activation) {
  const at::Tensor rows = activation.to(at::kCPU, at::kFloat);
  return rows.dim() > 2 ? rows.flatten(2).mean(2) : rows;
}

}  // namespace

Answers answer_all(Model& model, const ImageSource& source, const EvalOptions& options) {
  const bool bf16 = autocast_wanted(options.precision);
  Answers answers;
  answers.logits = at::empty({0, static_cast<std::int64_t>(source.class_names().size())}, at::kFloat);
  if (source.size() == 0) return answers;
  const at::NoGradGuard no_grad;
  Loader loader(source, AugmentChain{}, loader_options(options));
  std::vector<at::Tensor> parts, inputs;
  for (std::int64_t step = 0, steps = loader.steps_per_epoch(); step < steps; ++step) {
    for (const Batch& batch : loader.next().micro) {
      if (batch.size() == 0) continue;
      const AutocastGuard autocast(bf16, options.device);
      Forward forward(false);
      forward.keep_input_of(options.keep_input_of);
      if (!options.keep_mean_of.empty()) forward.capture(options.keep_mean_of);
      const at::Tensor logits = model.run(batch_to(batch, options.device), forward).logits;
      parts.push_back(logits.to(at::kCPU, at::kFloat));
      if (forward.kept_input().defined()) inputs.push_back(forward.kept_input().to(at::kCPU, at::kFloat));
      if (!options.keep_mean_of.empty())
        inputs.push_back(mean_over_positions(forward.captured().at(options.keep_mean_of)));
      const at::Tensor target = batch.target.contiguous();
      const auto* label = target.const_data_ptr<std::int64_t>();
      answers.labels.insert(answers.labels.end(), label, label + target.numel());
      answers.samples.insert(answers.samples.end(), batch.sample_ids.begin(), batch.sample_ids.end());
    }
  }
  answers.corrupt = loader.corrupt();
  if (parts.empty())
    fail(ExitCode::bad_data, "data: none of {} samples could be read, e.g. {}", source.size(),
         printable(answers.corrupt.begin()->first));
  answers.logits = at::cat(parts);
  if (!inputs.empty()) answers.inputs = at::cat(inputs);
  return answers;
}

ClassifyMetrics evaluate_classifier(Model& model, const ImageSource& source, const EvalOptions& options) {
  const double start = now_seconds();
  const Answers answers = answer_all(model, source, options);
  ClassifyMetrics metrics = classify_metrics(answers.logits, answers.labels);
  metrics.corrupt = answers.corrupt;
  metrics.seconds = now_seconds() - start;
  metrics.throughput = metrics.seconds > 0 ? static_cast<double>(metrics.samples) / metrics.seconds : 0;
  return metrics;
}

}  // namespace mgd
