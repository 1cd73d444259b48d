// `mgd answer`: what a model says of every picture of a data set, in a file that a distillation can learn
// from.
#include <ATen/Parallel.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/tensor.h>
#include <fmt/core.h>

#include <memory>
#include <unordered_set>

#include "mgd/cli/console.h"
#include "mgd/cli/model_input.h"
#include "mgd/cli/open_named_model.h"
#include "mgd/cli/verbs.h"
#include "mgd/core/error.h"
#include "mgd/data/loader.h"
#include "mgd/data/source_lines.h"
#include "mgd/teach/stored_answers.h"

namespace mgd {
namespace {

struct AnswerFlags {
  std::string out, model, dtype = "fp32", labels = "auto", keys = "name";
  std::vector<std::string> taps, classes;
  std::int64_t image_size = 0, batch_size = 32, threads = 0;
  double max_megapixels = DataConfig{}.max_megapixels;
  bool overwrite = false, quiet = false;

  void visit(OptionVisitor& v) {
    v.option("out", out, {.help = "the file of answers, NAME.safetensors"});
    v.option("taps", taps, {.help = "nodes whose features are kept beside the logits (mgd inspect MODEL)"});
    v.option("dtype", dtype, {.help = "of the features", .choices = {"fp32", "bf16"}});
    v.option("keys", keys,
             {.help = "what pictures are called by: their path below the data's folder, or the SHA-256 of "
                      "their files, "
                      "wherever these lie",
              .choices = {"name", "content"}});
    v.option("labels", labels, {.help = "as data.labels", .choices = {"auto", "none"}});
    v.option("model", model, {.help = "architecture of a bare weights file, where it is not found"});
    v.option("classes", classes, {.help = "names of the classes of a model that comes without"});
    v.option("image_size", image_size,
             {.help = "side that the model sees; 0 = its own", .min = 0, .max = 16384});
    v.option("batch_size", batch_size, {.help = "pictures at a time", .min = 1, .max = 65536});
    v.option("threads", threads, {.help = "0 = all cores", .min = 0, .max = 1024});
    v.option("max_megapixels", max_megapixels,
             {.help = "larger pictures are refused", .min = 0, .max = 4096, .min_open = true});
    v.option("overwrite", overwrite, {.help = "replace the file"});
    v.option("quiet", quiet, {.help = "no notes"});
  }
};

// What grows while parts of the data are asked.
struct Collected {
  std::vector<std::string> names;
  std::map<std::string, std::vector<at::Tensor>> rows;
};

void answer_part(ImageModel& model, const ImageSource& source, const LoaderOptions& options,
                 const AnswerFlags& flags, bool with_logits, Collected& all, Console& console) {
  const std::vector<std::string>& taps = flags.taps;
  Loader loader(source, AugmentChain{}, options);
  const at::NoGradGuard no_grad;
  for (std::int64_t step = 0; step < loader.steps_per_epoch(); ++step)
    for (const Batch& batch : loader.next().micro) {
      if (batch.size() == 0) continue;
      Forward forward;
      for (const std::string& tap : taps) forward.capture(tap);
      const at::Tensor logits = model.run(batch, forward).logits;
      if (with_logits) all.rows["logits"].push_back(logits);
      for (const std::string& tap : taps) all.rows[tap].push_back(forward.captured().at(tap).clone());
      for (const std::int64_t sample : batch.sample_ids)
        all.names.push_back(flags.keys == "name" ? source.name(sample)
                                                 : content_name(source.content(sample)));
    }
  for (const auto& line : unread_lines(loader.corrupt(), source.size(), "left out")) console.note(line);
}

// Copies of a picture are called alike by content, and have one answer: the first.
void drop_copies(Collected& all) {
  std::unordered_set<std::string> seen;
  std::vector<std::int64_t> kept;
  for (std::size_t i = 0; i < all.names.size(); ++i)
    if (seen.insert(all.names[i]).second) kept.push_back(static_cast<std::int64_t>(i));
  if (kept.size() == all.names.size()) return;
  std::vector<std::string> names;
  for (const std::int64_t i : kept) names.push_back(all.names[static_cast<std::size_t>(i)]);
  all.names = std::move(names);
  for (auto& [name, rows] : all.rows) rows = {at::cat(rows).index_select(0, at::tensor(kept))};
}

int run_answer(const std::vector<std::string>& args, const AnswerFlags& flags) {
  if (args.size() != 2) fail(ExitCode::usage, "answer: got {} names, expected MODEL DATA", args.size());
  if (flags.out.empty()) fail(ExitCode::usage, "answer: --out FILE says where the answers go");
  if (fs::exists(flags.out) && !flags.overwrite)
    fail(ExitCode::cannot_create, "{}: it is there already; --overwrite replaces it", flags.out);
  if (flags.threads > 0) at::set_num_threads(static_cast<int>(flags.threads));
  Console console(flags.quiet, "never");
  OpenedModel opened =
      open_named_model(args[0], flags.model, /*allow_fresh=*/false, flags.classes, HeadUse::teach);
  const bool with_logits = opened.no_logits.empty();
  if (!with_logits && flags.taps.empty())
    fail(ExitCode::usage, "answer: {}, so --taps says which features are kept", opened.no_logits);
  for (const std::string& note : opened.notes) console.note(args[0] + ": " + note);
  DataConfig data;
  data.path = args[1];
  data.labels = flags.labels;
  data.max_megapixels = flags.max_megapixels;
  if (const auto channels = opened.info.in_channels; channels == 1 || channels == 3) data.channels = channels;
  const OpenedSplits splits = open_splits(data);
  for (const auto& line : source_lines(*splits.train)) console.note(line);
  const ModelInput input = settle_input(args[0], flags.image_size, survey_pictures(*splits.train), opened);
  for (const std::string& line : input.lines) console.note(line);
  LoaderOptions options;
  options.batch_size = flags.batch_size;
  options.mean = opened.info.mean, options.std = opened.info.std;
  options.height = opened.info.height, options.width = opened.info.width;
  options.view = input.rules.view;
  options.shuffle = options.drop_last = options.replace_corrupt = false;
  options.cache_mb = 0;
  Collected all;
  for (const auto& source : {splits.train, splits.validation, splits.test})
    if (source && source->size() > 0)
      answer_part(*opened.model, *source, options, flags, with_logits, all, console);
  const std::size_t pictures = all.names.size();
  if (flags.keys == "content") drop_copies(all);
  TensorMap outputs;
  for (auto& [name, rows] : all.rows) {
    outputs[name] = at::cat(rows);
    rows.clear();
    if (name != "logits" && flags.dtype == "bf16") outputs[name] = outputs[name].to(at::kBFloat16);
  }
  write_answers(flags.out, outputs, all.names, opened.info.label_names);
  const std::size_t copies = pictures - all.names.size();
  console.note(fmt::format("{}: answers to {} pictures{}", flags.out, all.names.size(),
                           copies > 0 ? fmt::format("; {} copies of them have the same", copies) : ""));
  return 0;
}

}  // namespace

Verb answer_verb() {
  auto flags = std::make_shared<AnswerFlags>();
  return {.name = "answer",
          .help = "keeps what a model says of pictures, for students to learn from",
          .example = "mgd answer teacher/model photos --out answers.safetensors",
          .positional_name = "MODEL DATA",
          .positional_help = "a model folder or a safetensors file; pictures in any form that training takes",
          .positional_required = true,
          .options = [flags](OptionVisitor& v) { flags->visit(v); },
          .run = [flags](const std::vector<std::string>& args) { return run_answer(args, *flags); }};
}

}  // namespace mgd
