#include <ATen/Parallel.h>
#include <fmt/core.h>

#include <nlohmann/json.hpp>

#include "mgd/cli/console.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/eval/summary.h"
#include "mgd/nn/device.h"

namespace mgd {

namespace {

using json = nlohmann::ordered_json;

struct EvalFlags {
  std::string data, split = "test", model, precision = "fp32", device = "cpu";
  std::int64_t batch_size = 64, threads = 0;
  bool json = false, quiet = false;
  void visit(OptionVisitor& v) {
    v.option("data", data, {.help = "folder, archive, CIFAR, IDX, npz or csv"});
    v.option("split", split, {.help = "name of the split in the data"});
    v.option("model", model, {.help = "architecture of a bare weights file (default: found by its tensors)"});
    v.option("batch_size", batch_size, {.help = "samples of one forward pass", .min = 1});
    v.option("precision", precision, {.help = "fp32 or bf16", .choices = {"fp32", "bf16"}});
    v.option("device", device, {.help = "cpu or cuda", .choices = {"cpu", "cuda"}});
    v.option("threads", threads, {.help = "0 = all cores", .min = 0});
    v.option("json", json, {.help = "everything as one JSON line on stdout"});
    v.option("quiet", quiet, {.help = "no notes on stderr"});
  }
};

json to_json(const ClassifyMetrics& m, const Latency& latency, const std::vector<std::string>& names) {
  json metrics{{"accuracy", m.accuracy},
               {"top5", m.top5},
               {"loss", m.loss},
               {"calibration_error", m.calibration_error},
               {"throughput", m.throughput},
               {"latency_ms", latency.median_ms}};
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
  fmt::print("top-5               {:.2f} %\n", 100 * m.top5);
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

int run_eval(const std::vector<std::string>& args, const EvalFlags& flags) {
  if (args.size() != 1)
    fail(ExitCode::usage, "eval takes one model, got {}; see `mgd eval --help`", args.size());
  if (flags.data.empty()) fail(ExitCode::usage, "eval: --data is missing");
  const at::Device device = open_device(flags.device, "--device");
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  OpenedModel opened = open_named_model(args[0], flags.model, /*allow_fresh=*/false);
  fill_normalisation(opened.info);
  DataConfig data;
  data.path = flags.data;
  data.test = flags.split;
  const auto source = open_images(data, Split::test);
  const auto classes = static_cast<std::int64_t>(source->class_names().size());
  if (classes != opened.info.num_classes)
    fail(ExitCode::usage, "{}: the model has {} classes, the data {} has {}", args[0],
         opened.info.num_classes, flags.data, classes);
  Console(flags.quiet, "never")
      .note(fmt::format("{} on {} samples of {} ({})", opened.info.architecture, source->size(), flags.data,
                        flags.split));
  const EvalOptions options{.batch_size = flags.batch_size,
                            .mean = opened.info.mean,
                            .std = opened.info.std,
                            .height = opened.info.height,
                            .width = opened.info.width,
                            .precision = flags.precision,
                            .device = device};
  opened.model->to(options.device);
  const ClassifyMetrics metrics = evaluate_classifier(*opened.model, *source, options);
  const Latency latency = measure_latency(*opened.model, opened.info.height, opened.info.width);
  const auto& names = source->class_names();
  if (flags.json)
    fmt::print("{}\n", json{{"metrics", to_json(metrics, latency, names)},
                            {"samples", metrics.samples},
                            {"seconds", metrics.seconds},
                            {"model", args[0]},
                            {"data", flags.data},
                            {"split", flags.split}}
                           .dump(-1, ' ', false, json::error_handler_t::replace));
  else
    print_table(metrics, latency, names);
  return 0;
}

}  // namespace

Verb eval_verb() {
  auto flags = std::make_shared<EvalFlags>();
  return {.name = "eval",
          .help = "measures a model: accuracy, calibration, confusion, throughput, latency",
          .example = "mgd eval runs/cifar/student --data cifar10.tar.xz --split test",
          .positional_name = "MODEL",
          .positional_help = "a model folder or a safetensors file",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_eval(args, *flags); }};
}

}  // namespace mgd
