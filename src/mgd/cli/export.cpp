#include "mgd/cli/export.h"

#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/io/text_folder.h"

namespace mgd {

namespace {

int run_export(const std::vector<std::string>& args, const ExportFlags& flags) {
  if (args.size() != 1)
    fail(ExitCode::usage, "export takes one model, got {}; see `mgd export --help`", args.size());
  if (flags.onnx.empty()) fail(ExitCode::usage, "export: --onnx FILE is missing");
  if (flags.int8.empty() && !flags.int8_keep.empty())
    fail(ExitCode::usage, "--int8-keep: it goes with --int8 DATA");
  for (const auto& which : flags.int8_keep)
    if (which != "first" && which != "last")
      fail(ExitCode::usage, "--int8-keep: got '{}', expected first or last{}", which,
           suggestion(which, {"first", "last"}));
  if (is_text_folder(args[0]))
    fail(ExitCode::usage, "{}: a text model; export takes models of pictures", args[0]);
  return export_images(args[0], flags);
}

}  // namespace

void ExportFlags::visit(OptionVisitor& v) {
  v.option("onnx", onnx, {.help = "file to write"});
  v.option("data", data, {.help = "real samples for the check; without: random ones"});
  v.option("split", split, {.help = "name of the split in the data"});
  v.option("check_samples", check_samples, {.help = "most samples of the check", .min = 1});
  v.option("with_preprocessing", with_preprocessing,
           {.help = "the file takes uint8 (B, Y, X, C): layout and normalisation are in it"});
  v.option("int8", int8, {.help = "data to calibrate on: a second file FILE.int8.onnx"});
  v.option("int8_keep", int8_keep, {.help = "layer that stays float: first or last; may be repeated"});
  v.option("int8_range", int8_range,
           {.help = "of activations", .choices = {"squared_error", "percentile", "min_max"}});
  v.option(
      "int8_weight_bits", int8_weight_bits,
      {.help = "7 is right on any processor; 8 is finer, and wrong without VNNI on x86", .min = 7, .max = 8});
  v.option("calibration_samples", calibration_samples, {.help = "for --int8", .min = 1});
  v.option("model", model, {.help = "architecture of a bare weights file"});
  v.option("classes", classes,
           {.help = "names of the classes of bare weights, in the order of their outputs"});
  v.option("image_size", image_size, {.help = "pixels a side; 0 = the model's own", .min = 0});
  v.option("threads", threads, {.help = "0 = all cores", .min = 0});
  v.option("json", json, {.help = "everything as one JSON line on stdout"});
  v.option("quiet", quiet, {.help = "no notes on stderr"});
}

Verb export_verb() {
  auto flags = std::make_shared<ExportFlags>();
  return {.name = "export",
          .help = "writes a model as ONNX, in float or in 8 bits, and checks the file",
          .example = "mgd export runs/cifar/student --onnx student.onnx --data cifar10.tar.xz",
          .positional_name = "MODEL",
          .positional_help = "a model folder or a safetensors file",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_export(args, *flags); }};
}

}  // namespace mgd
