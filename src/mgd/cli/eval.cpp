#include "mgd/cli/eval.h"

#include "mgd/cli/other_kind.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/io/text_folder.h"

namespace mgd {

namespace {

int run_eval(const std::vector<std::string>& args, const EvalFlags& flags) {
  if (args.size() != 1)
    fail(ExitCode::usage, "eval takes one model, got {}; see `mgd eval --help`", args.size());
  if (flags.data.empty()) fail(ExitCode::usage, "eval: --data is missing");
  if (is_text_folder(args[0])) {
    refuse_flags_of_others(flags, {"image_size", "label_column", "max_megapixels", "model"}, args[0],
                           "texts");
    return eval_texts(args[0], flags);
  }
  refuse_flags_of_others(flags,
                         {"format", "columns", "target", "max_length", "samples", "mask_ratio",
                          "pseudo_perplexity", "prompt_name", "cache_dir"},
                         args[0], "pictures");
  return eval_images(args[0], flags);
}

}  // namespace

void EvalFlags::visit(OptionVisitor& v) {
  v.option("data", data, {.help = "file, folder or archive of pictures or texts"});
  v.option("split", split, {.help = "name of the split in the data"});
  v.option("model", model, {.help = "architecture of a bare weights file"});
  v.option("classes", classes,
           {.help = "names of the classes of bare weights, in the order of their outputs"});
  v.option("batch_size", batch_size, {.help = "of a forward pass; 0 = 64 pictures, 32 texts", .min = 0});
  v.option("image_size", image_size,
           {.help = "pictures: side of the square that the model sees; 0 = what it wants",
            .min = 0,
            .max = 16384});
  v.option("precision", precision, {.help = "fp32 or bf16", .choices = {"fp32", "bf16"}});
  v.option("device", device, {.help = "cpu or cuda", .choices = {"cpu", "cuda"}});
  v.option("threads", threads, {.help = "0 = all cores", .min = 0});
  v.option("label_column", label_column,
           {.help = "a .csv of pixels: name of the column of labels, first or last"});
  v.option("max_megapixels", max_megapixels,
           {.help = "pictures: larger ones are refused", .min = 0, .max = 4096, .min_open = true});
  v.option("format", format,
           {.help = "texts", .choices = {"lines", "paragraphs", "file", "jsonl", "csv", "tsv"}});
  v.option("columns", columns, {.help = "texts: name or number of a column; twice for pairs"});
  v.option("target", target, {.help = "texts: column of the label or score"});
  v.option("max_length", max_length, {.help = "texts: most tokens; 0 = as the model takes", .min = 0});
  v.option("samples", samples, {.help = "language models", .choices = {"documents", "blocks", "packed"}});
  v.option("mask_ratio", mask_ratio,
           {.help = "masked models: hidden share", .min = 0, .max = 1, .min_open = true});
  v.option("pseudo_perplexity", pseudo_perplexity, {.help = "masked models: hide each token once; slow"});
  v.option("prompt_name", prompt_name,
           {.help = "sentence encoders: which prompt; none; empty = its default"});
  v.option("cache_dir", cache_dir, {.help = "texts: keeps what is tokenised; empty = not kept"});
  v.option("json", json, {.help = "everything as one JSON line on stdout"});
  v.option("quiet", quiet, {.help = "no notes on stderr"});
}

Verb eval_verb() {
  auto flags = std::make_shared<EvalFlags>();
  return {.name = "eval",
          .help = "measures a model of pictures or texts at its task",
          .example = "mgd eval runs/cifar/student --data cifar10.tar.xz --split test",
          .positional_name = "MODEL",
          .positional_help = "a model folder or a safetensors file",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_eval(args, *flags); }};
}

}  // namespace mgd
