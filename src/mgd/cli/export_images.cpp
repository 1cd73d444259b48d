#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <fmt/core.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/cli/export.h"
#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/core/error.h"
#include "mgd/export/onnx_file.h"
#include "mgd/io/weights.h"
#include "mgd/train/environment.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

PreprocessingFacts facts_of(const ModelFolderInfo& info, bool in_graph) {
  return {.channels = info.in_channels,
          .height = info.height,
          .width = info.width,
          .mean = info.mean,
          .std = info.std,
          .interpolation = info.interpolation,
          .crop_pct = info.crop_pct,
          .crop_mode = info.crop_mode,
          .labels = info.label_names,
          .in_graph = in_graph};
}

const std::string& data_of(const ExportFlags& flags) {
  return flags.data.empty() ? flags.int8 : flags.data;
}

void take_samples(ExportJob& job, const ImageSource* source) {
  if (source == nullptr) {
    job.samples = random_samples(job.facts);
    job.samples_name = fmt::format("{} random inputs", job.samples.size());
  } else {
    job.samples = read_samples(job, *source, job.flags.check_samples);
    job.samples_name =
        fmt::format("{} samples of {} ({})", job.samples.size(), data_of(job.flags), job.flags.split);
  }
  const at::NoGradGuard no_grad;
  for (const at::Tensor& batch : job.samples.pictures) {
    Forward forward(/*training=*/false);
    job.expected.push_back(job.opened.model->forward(batch, forward).contiguous());
  }
}

void require_same(const ExportJob& job, const ExportedFile& file) {
  if (!file.answers) return;
  const Agreement agrees = agreement(file.answers->outputs, job.expected);
  // A tie within rounding may go either way; anything else is a mistake.
  if (agrees.difference > kMostDifference)
    fail(ExitCode::internal,
         "export: {} is not published: in onnxruntime {} its logits differ from the model's by {:.2g} "
         "(at most {:.0e} relative expected) on {}, and {} predictions are others",
         file.path.string(), job.runtime->version(), agrees.difference, kMostDifference, job.samples_name,
         agrees.samples - agrees.same);
}

std::string free_dimensions(const ImageGraph& graph) {
  return graph.any_size
             ? "any batch, height and width"
             : fmt::format("any batch; height and width are fixed ({} depends on them)", graph.fixed_by);
}

std::string megabytes(std::uint64_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6);
}

std::string signed_points(double change) {
  return fmt::format("{:+.2f} points", 100 * change);
}

void print_float(const ExportJob& job, const ExportedFile& file) {
  fmt::print("{}: {}, {} nodes, {}\n", file.path.string(), megabytes(file.bytes),
             job.graph.graph.nodes.size(), free_dimensions(job.graph));
  const auto& input = job.graph.graph.inputs[0];
  fmt::print("input    {}\n",
             job.facts.in_graph
                 ? fmt::format("image (B, Y, X, {}) uint8; layout and normalisation are nodes, "
                               "resizing and cropping are not",
                               job.facts.channels)
                 : fmt::format("{} (B, {}, Y, X) float, normalised", input.name, job.facts.channels));
  if (!file.answers) {
    fmt::print("check    not checked in onnxruntime\n");
    return;
  }
  const Agreement agrees = agreement(file.answers->outputs, job.expected);
  fmt::print("check    onnxruntime {}: {}, {} same predictions, largest difference {:.1e}\n",
             job.runtime->version(), job.samples_name, agrees.same, agrees.difference);
  if (!job.samples.labels.empty())
    fmt::print("accuracy {:.2f} %, of the model {:.2f} %\n",
               100 * accuracy_of(file.answers->outputs, job.samples.labels),
               100 * accuracy_of(job.expected, job.samples.labels));
}

void print_int8(const ExportJob& job, const ExportedFile& plain, const Int8Result& result) {
  fmt::print("\n{}: calibrated on {}\n", result.file.path.string(), result.calibrated_on);
  fmt::print("{:<24} {:>12} {:>12}\n", "", "float", "int8");
  if (result.float_accuracy)
    fmt::print("{:<24} {:>10.2f} % {:>10.2f} %  {} ({}, {})\n", "accuracy", 100 * *result.float_accuracy,
               100 * *result.int8_accuracy, signed_points(*result.int8_accuracy - *result.float_accuracy),
               job.samples_name, result.measured_with);
  fmt::print("{:<24} {:>12} {:>12}\n", "same predictions", "",
             fmt::format("{} of {}", result.agreement.same, result.agreement.samples));
  fmt::print("{:<24} {:>12} {:>12}\n", "size", megabytes(plain.bytes), megabytes(result.file.bytes));
  if (plain.answers && result.file.answers)
    fmt::print("{:<24} {:>9.2f} ms {:>9.2f} ms  (batch 1, {} threads)\n", "latency",
               plain.answers->latency_ms, result.file.answers->latency_ms, job.threads);
  fmt::print("\n{:<40} {:>14} {:>12}  (alone in 8 bits, {} samples)\n", "layers that lose most",
             "noise in logits", "predictions", result.layers_tried_on);
  for (const auto& layer : result.layers)
    fmt::print("{:<40} {:>13.2f} % {:>12}\n", layer.name, 100 * layer.noise,
               fmt::format("{} change", layer.changed));
}

json to_json(const ExportJob& job, const ExportedFile& file) {
  json out{{"file", file.path.string()},
           {"bytes", file.bytes},
           {"opset", kOnnxOpset},
           {"any_size", job.graph.any_size},
           {"checked", file.answers.has_value()}};
  if (file.answers) {
    const Agreement agrees = agreement(file.answers->outputs, job.expected);
    out["check"] = {{"runtime", job.runtime->version()},      {"samples", agrees.samples},
                    {"same_predictions", agrees.same},        {"difference", agrees.difference},
                    {"latency_ms", file.answers->latency_ms}, {"threads", job.threads}};
    if (!job.samples.labels.empty())
      out["check"]["accuracy"] = accuracy_of(file.answers->outputs, job.samples.labels);
  }
  return out;
}

json to_json(const Int8Result& result) {
  json layers = json::array();
  for (const auto& layer : result.layers)
    layers.push_back({{"name", layer.name}, {"noise", layer.noise}, {"changed", layer.changed}});
  json out{{"file", result.file.path.string()},
           {"bytes", result.file.bytes},
           {"calibrated_on", result.calibrated_on},
           {"measured_with", result.measured_with},
           {"samples", result.agreement.samples},
           {"same_predictions", result.agreement.same},
           {"layers", layers}};
  if (result.float_accuracy) {
    out["float_accuracy"] = *result.float_accuracy;
    out["accuracy"] = *result.int8_accuracy;
  }
  if (result.file.answers) out["latency_ms"] = result.file.answers->latency_ms;
  return out;
}

}  // namespace

ExportedFile export_file(const ExportJob& job, const Graph& graph, const fs::path& path,
                         const std::function<void(const ExportedFile&)>& accept) {
  FilePublisher file(path);
  Graph whole = graph;
  if (job.facts.in_graph) add_preprocessing(whole, job.facts);
  write_graph(whole,
              {.name = job.opened.info.architecture,
               .version = environment().mgd_version,
               .metadata = preprocessing_metadata(job.facts)},
              file);
  ExportedFile written{.path = path, .bytes = file.bytes(), .answers = {}};
  if (job.runtime)
    written.answers =
        answers_of(*job.runtime, file.staged(), file_inputs(job.samples, job.facts), job.threads);
  accept(written);
  file.publish();
  return written;
}

int export_images(const std::string& model, const ExportFlags& flags) {
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  OpenedModel opened = open_named_model(model, flags.model, /*allow_fresh=*/false, flags.classes);
  // A comparison of NaN with NaN says nothing.
  require_finite(*opened.model, model);
  opened.model->set_requires_grad(false);
  remove_stale_staging(parent_of(flags.onnx));
  Console console(flags.quiet, "never");
  for (const std::string& note : opened.notes) console.note(model + ": " + note);
  std::shared_ptr<const ImageSource> source;
  if (!data_of(flags).empty()) source = pictures_of(model, opened, data_of(flags), flags.split, console);
  const ModelInput input =
      settle_input(model, flags.image_size, source ? survey_pictures(*source) : PictureSurvey{}, opened,
                   /*habit_only=*/source == nullptr);
  for (const std::string& line : input.lines) console.note(line);
  ExportJob job{.model = model,
                .flags = flags,
                .opened = opened,
                .console = console,
                .view = input.rules.view,
                .facts = facts_of(opened.info, flags.with_preprocessing),
                .threads = at::get_num_threads()};
  job.graph = image_graph(*opened.model, opened.info.height, opened.info.width);
  const double difference = graph_difference(job.graph, *opened.model, opened.info.height, opened.info.width);
  if (difference > kMostDifference)
    fail(ExitCode::internal,
         "export: {} is not published: the graph's logits differ from the model's by {:.2g}, at most {:.0e} "
         "expected",
         flags.onnx, difference, kMostDifference);
  take_samples(job, source.get());
  std::string why;
  job.runtime = OnnxRuntime::find(why);
  if (!job.runtime) console.note("not checked in onnxruntime: " + why);
  const ExportedFile plain = export_file(job, job.graph.graph, flags.onnx,
                                         [&](const ExportedFile& file) { require_same(job, file); });
  if (!flags.json) print_float(job, plain);
  json out = to_json(job, plain);
  if (!flags.int8.empty()) {
    const Int8Result result = export_int8(job, int8_path(flags.onnx));
    if (!flags.json) print_int8(job, plain, result);
    out["int8"] = to_json(result);
  }
  if (flags.json) fmt::print("{}\n", out.dump(-1, ' ', false, json::error_handler_t::replace));
  return 0;
}

}  // namespace mgd
