#include "mgd/cli/predict.h"

#include <ATen/Parallel.h>

#include "mgd/cli/other_kind.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/io/text_folder.h"

namespace mgd {

namespace {

int run_predict(const std::vector<std::string>& args, const PredictFlags& flags) {
  const bool texts = is_text_folder(args[0]);
  if (args.size() < 2)
    fail(ExitCode::usage, "predict takes a model and at least one {}", texts ? "text" : "picture or folder");
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  if (texts) {
    refuse_flags_of_others(flags, {"image_size", "max_megapixels", "model"}, args[0], "texts");
    return predict_texts(args, flags);
  }
  refuse_flags_of_others(flags, {"max_length", "pairs", "prompt_name"}, args[0], "pictures");
  return predict_images(args, flags);
}

}  // namespace

void PredictFlags::visit(OptionVisitor& v) {
  v.option("top", top, {.help = "answers an input", .min = 1});
  v.option("model", model, {.help = "architecture of a bare weights file"});
  v.option("classes", classes,
           {.help = "names of the classes of bare weights, in the order of their outputs"});
  v.option("batch_size", batch_size, {.help = "samples of one forward pass", .min = 1});
  v.option("image_size", image_size,
           {.help = "pictures: side of the square that the model sees; 0 = what it wants",
            .min = 0,
            .max = 16384});
  v.option("max_megapixels", max_megapixels,
           {.help = "pictures: larger ones are refused", .min = 0, .max = 4096, .min_open = true});
  v.option("max_length", max_length, {.help = "texts: most tokens; 0 = as the model takes", .min = 0});
  v.option("pairs", pairs,
           {.help = "texts: each is two, with a tab between them, for a classifier of pairs"});
  v.option(
      "prompt_name", prompt_name,
      {.help = "texts: which prompt of a sentence encoder stands before each; none; empty = its default"});
  v.option("precision", precision, {.help = "fp32 or bf16", .choices = {"fp32", "bf16"}});
  v.option("threads", threads, {.help = "0 = all cores", .min = 0});
  v.option("json", json, {.help = "one JSON object a line on stdout"});
  v.option("logits", logits, {.help = "with --json: the raw scores too"});
}

Verb predict_verb() {
  auto flags = std::make_shared<PredictFlags>();
  return {
      .name = "predict",
      .help = "what a model says of pictures, folders of pictures, or texts",
      .example = "mgd predict runs/cifar/student photo.jpg --top 3",
      .positional_name = "MODEL INPUT...",
      .positional_help =
          "a model folder or weights file, then pictures and folders, or texts; - = paths or texts on stdin",
      .positional_required = true,
      .options = [flags](OptionVisitor& v) { flags->visit(v); },
      .run = [flags](const std::vector<std::string>& args) { return run_predict(args, *flags); }};
}

}  // namespace mgd
