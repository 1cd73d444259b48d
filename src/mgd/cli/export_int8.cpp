#include <ATen/TensorOperators.h>

#include <algorithm>
#include <set>

#include "mgd/cli/export.h"
#include "mgd/core/error.h"
#include "mgd/export/interpret.h"
#include "mgd/export/quantize.h"

namespace mgd {

namespace {

RangeRule rule_of(const std::string& name) {
  if (name == "min_max") return RangeRule::min_max;
  return name == "percentile" ? RangeRule::percentile : RangeRule::squared_error;
}

std::set<std::string> chosen_layers(const Graph& graph, const std::vector<std::string>& keep) {
  const auto all = quantizable_layers(graph);
  std::set<std::string> chosen(all.begin(), all.end());
  for (const auto& which : keep)
    if (!all.empty()) chosen.erase(which == "first" ? all.front() : all.back());
  if (chosen.empty()) fail(ExitCode::usage, "export: no layer is left that could be in 8 bits");
  return chosen;
}

// The training part where the data has one: what is measured afterwards should not have been calibrated on.
Samples calibration_samples(const ExportJob& job, std::string& name) {
  const ExportFlags& flags = job.flags;
  const auto named = [&](const Samples& samples, const std::string& split) {
    name = fmt::format("{} samples of {} ({})", samples.size(), flags.int8, split);
    return samples;
  };
  try {
    const auto train = pictures_of(job.model, job.opened, flags.int8, "", job.console);
    return named(read_samples(job, *train, flags.calibration_samples), "train");
  } catch (const Error& error) {
    if (error.code() != ExitCode::missing_input || !fs::exists(flags.int8)) throw;
  }
  const auto only = pictures_of(job.model, job.opened, flags.int8, flags.split, job.console);
  return named(read_samples(job, *only, flags.calibration_samples), flags.split);
}

std::vector<at::Tensor> run_all(const Graph& graph, const std::vector<at::Tensor>& batches) {
  std::vector<at::Tensor> logits;
  for (const at::Tensor& batch : batches)
    logits.push_back(run_graph(graph, {{graph.inputs[0].name, batch}}).at(graph.outputs[0].name));
  return logits;
}

double noise_of(const std::vector<at::Tensor>& got, const std::vector<at::Tensor>& expected) {
  double noise = 0, signal = 0;
  for (std::size_t i = 0; i < got.size(); ++i) {
    noise += (got[i] - expected[i]).to(at::kDouble).square().sum().item<double>();
    signal += expected[i].to(at::kDouble).square().sum().item<double>();
  }
  return signal > 0 ? std::sqrt(noise / signal) : 0;
}

WeightBits bits_of(const ExportFlags& flags) {
  return flags.int8_weight_bits == 8 ? WeightBits::eight : WeightBits::seven;
}

// One layer at a time in 8 bits, on the first batches only.
std::vector<Int8Layer> worst_layers(const ExportJob& job, const Ranges& ranges,
                                    const std::set<std::string>& layers, std::int64_t& samples) {
  constexpr std::size_t kShown = 5;
  constexpr std::int64_t kSamples = 64;
  std::vector<at::Tensor> batches, expected;
  samples = 0;
  for (std::size_t i = 0; i < job.samples.pictures.size() && samples < kSamples; ++i) {
    batches.push_back(job.samples.pictures[i]);
    expected.push_back(job.expected[i]);
    samples += batches.back().size(0);
  }
  std::vector<Int8Layer> worst;
  for (const auto& name : layers) {
    const auto logits = run_all(quantized(job.graph.graph, ranges, {name}, bits_of(job.flags)), batches);
    const Agreement agrees = agreement(logits, expected);
    worst.push_back(
        {.name = name, .noise = noise_of(logits, expected), .changed = agrees.samples - agrees.same});
  }
  std::stable_sort(worst.begin(), worst.end(),
                   [](const Int8Layer& a, const Int8Layer& b) { return a.noise > b.noise; });
  worst.resize(std::min(worst.size(), kShown));
  return worst;
}

// Integer kernels round a little differently from what the file says, but not so that answers become others.
void require_as_computed(const ExportJob& job, const ExportedFile& file,
                         const std::vector<at::Tensor>& computed) {
  constexpr double kMostChanged = 0.1;
  if (!file.answers) return;
  const Agreement agrees = agreement(file.answers->outputs, computed);
  const auto changed = agrees.samples - agrees.same;
  if (static_cast<double>(changed) > std::max(1.0, kMostChanged * static_cast<double>(agrees.samples)))
    fail(ExitCode::internal,
         "export: {} is not published: in onnxruntime {} {} of {} predictions are others than the same "
         "arithmetic gives in LibTorch{}",
         file.path.string(), job.runtime->version(), changed, agrees.samples,
         bits_of(job.flags) == WeightBits::eight
             ? "; this processor may saturate weights of 8 bits, --int8-weight-bits 7 fits all"
             : "");
}

}  // namespace

fs::path int8_path(const std::string& onnx) {
  fs::path path = onnx;
  const std::string extension = path.extension().empty() ? ".onnx" : path.extension().string();
  return path.replace_extension(".int8" + extension);
}

Int8Result export_int8(const ExportJob& job, const fs::path& path) {
  Int8Result result;
  const Graph& graph = job.graph.graph;
  const auto layers = chosen_layers(graph, job.flags.int8_keep);
  const Samples calibration = calibration_samples(job, result.calibrated_on);
  const Ranges ranges =
      calibrate(graph, calibration.pictures, quantized_values(graph, layers), rule_of(job.flags.int8_range));
  const Graph small = quantized(graph, ranges, layers, bits_of(job.flags));
  const auto computed = run_all(small, job.samples.pictures);
  result.file = export_file(job, small, path,
                            [&](const ExportedFile& file) { require_as_computed(job, file, computed); });
  const auto& logits = result.file.answers ? result.file.answers->outputs : computed;
  result.measured_with =
      result.file.answers ? "onnxruntime " + job.runtime->version() : "LibTorch, rounding as the file says";
  result.agreement = agreement(logits, job.expected);
  if (!job.samples.labels.empty()) {
    result.float_accuracy = accuracy_of(job.expected, job.samples.labels);
    result.int8_accuracy = accuracy_of(logits, job.samples.labels);
  }
  result.layers = worst_layers(job, ranges, layers, result.layers_tried_on);
  return result;
}

}  // namespace mgd
