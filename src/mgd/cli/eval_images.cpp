#include <ATen/Parallel.h>
#include <ATen/ops/zeros.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/cli/eval.h"
#include "mgd/cli/labelled_images.h"
#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/core/error.h"
#include "mgd/data/source_lines.h"
#include "mgd/eval/figures.h"
#include "mgd/eval/summary.h"
#include "mgd/nn/device.h"
#include "mgd/task/image_task.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

json to_json(const ClassifyMetrics& m, const Latency& latency, const std::vector<std::string>& names) {
  json metrics;
  for (const auto& [name, value] : figures_of(m)) metrics[name] = value;
  metrics["throughput"] = m.throughput;
  metrics["latency_ms"] = latency.median_ms;
  metrics["confusion"] = m.confusion;
  for (std::size_t c = 0; c < m.per_class.size(); ++c)
    metrics["per_class"].push_back({{"label", c < names.size() ? names[c] : std::to_string(c)},
                                    {"support", m.per_class[c].support},
                                    {"precision", m.per_class[c].precision},
                                    {"recall", m.per_class[c].recall},
                                    {"f1", m.per_class[c].f1}});
  return metrics;
}

void print_table(const ClassifyMetrics& m, const Latency& latency, const std::vector<std::string>& names) {
  fmt::print("accuracy            {:.2f} %\n", 100 * m.accuracy);
  if (m.top5) fmt::print("top-5               {:.2f} %\n", 100 * *m.top5);
  fmt::print("loss                {:.4f} nats\n", m.loss);
  fmt::print("calibration error   {:.2f} %\n", 100 * m.calibration_error);
  fmt::print("throughput          {:.0f} samples/s ({} samples in {:.1f} s)\n", m.throughput, m.samples,
             m.seconds);
  fmt::print("latency, batch 1    {:.2f} ms median, {:.2f} ms 90th percentile\n\n", latency.median_ms,
             latency.p90_ms);
  constexpr std::size_t kMostClasses = 30;
  fmt::print("{:<20} {:>8} {:>10} {:>8} {:>8}\n", "class", "samples", "precision", "recall", "F1");
  for (std::size_t c = 0; c < std::min(m.per_class.size(), kMostClasses); ++c)
    fmt::print("{:<20} {:>8} {:>10.4f} {:>8.4f} {:>8.4f}\n",
               c < names.size() ? printable(names[c]) : std::to_string(c), m.per_class[c].support,
               m.per_class[c].precision, m.per_class[c].recall, m.per_class[c].f1);
  if (m.per_class.size() > kMostClasses)
    fmt::print("... and {} more classes (--json has all)\n", m.per_class.size() - kMostClasses);
}

}  // namespace

int eval_images(const std::string& model, const EvalFlags& flags) {
  const at::Device device = open_device(flags.device, "--device");
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  OpenedModel opened = open_named_model(model, flags.model, /*allow_fresh=*/false, flags.classes);
  DataConfig data;
  data.path = flags.data;
  data.test = flags.split;
  data.label_column = flags.label_column;
  data.max_megapixels = flags.max_megapixels;
  data.channels = opened.info.in_channels == 1 || opened.info.in_channels == 3 ? opened.info.in_channels : 0;
  Console console(flags.quiet, "never");
  for (const std::string& note : opened.notes) console.note(model + ": " + note);
  const auto source = in_classes_of(opened, model, open_images(data, Split::test), console);
  const ModelInput input = settle_input(model, flags.image_size, survey_pictures(*source), opened);
  for (const auto& line : source_lines(*source)) console.note(line);
  console.note(fmt::format("{} on {} ({}), {} samples listed", opened.info.architecture, flags.data,
                           flags.split, source->size()));
  for (const std::string& line : input.lines) console.note(line);
  EvalOptions options = eval_options_of(opened, input);
  if (flags.batch_size > 0) options.batch_size = flags.batch_size;
  options.precision = flags.precision;
  options.device = device;
  opened.model->to(options.device);
  const ClassifyMetrics metrics = evaluate_classifier(*opened.model, *source, options);
  require_finite_figures({{"loss", metrics.loss}}, model, flags.data);
  for (const auto& line : unread_lines(metrics.corrupt, source->size(), "left out")) console.note(line);
  Batch one;
  one.input = at::zeros({1, opened.info.in_channels, opened.info.height, opened.info.width}, at::kFloat);
  const Latency latency = measure_latency(*opened.model, one);
  const auto& names = source->class_names();
  if (flags.json)
    fmt::print("{}\n", json{{"metrics", to_json(metrics, latency, names)},
                            {"samples", metrics.samples},
                            {"left_out", metrics.corrupt},
                            {"seconds", metrics.seconds},
                            {"model", model},
                            {"input_size", {opened.info.in_channels, opened.info.height, opened.info.width}},
                            {"data", flags.data},
                            {"split", flags.split}}
                           .dump(-1, ' ', false, json::error_handler_t::replace));
  else
    print_table(metrics, latency, names);
  return 0;
}

}  // namespace mgd
