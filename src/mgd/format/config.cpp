// Every option of a recipe: name, default (in config.h), range and help.
#include "mgd/format/config.h"

namespace mgd {

void DataConfig::visit(OptionVisitor& v) {
  v.option("path", path,
           {.help = "folder of class folders, .tar(.xz|.zst|.gz|.bz2), .zip, CIFAR binary, IDX, .npz or "
                    ".csv(.gz), or a list of pictures, a path a line; texts: a file, or a folder of them"});
  v.option("format", format,
           {.help = "what path holds; auto looks",
            .choices = {"auto", "imagefolder", "cifar", "idx", "npz", "csv", "list"}});
  v.option("unlabelled", unlabelled,
           {.help = "more training pictures, in anything that path may be, without labels: losses that read "
                    "labels leave them out"});
  v.option(
      "labels", labels,
      {.help = "none: whatever says a class is not looked at, and every picture below the folder counts; "
               "auto: those of the files, and none where pictures lie right in the folder",
       .choices = {"auto", "none"}});
  v.option("train", train, {.help = "name of the training split inside path"});
  v.option("test", test, {.help = "name of the test split inside path"});
  v.option("validation_split", validation_split,
           {.help = "name of the validation split inside path; auto = val, valid, validation or dev where "
                    "one is there, else data.validation of the training split; empty = always the latter"});
  v.option(
      "validation", validation,
      {.help = "fraction of the training samples held out to pick the best epoch", .min = 0, .max = 0.9});
  v.option("per_class", per_class,
           {.help = "use only the first N training images of each class; 0 = all", .min = 0});
  v.option(
      "label_column", label_column,
      {.help = "of a .csv of pixels: name of the column of labels, or first, or last; empty = by its name"});
  v.option("channels", channels,
           {.help = "1 = grey, 3 = colour, whatever the files hold; 0 = colour when any picture has it",
            .min = 0,
            .max = 3});
  v.option("max_megapixels", max_megapixels,
           {.help = "larger pictures are refused from their header; a progressive JPEG counts threefold",
            .min = 0,
            .max = 4096,
            .min_open = true});
  v.entries("augment", augment, {.help = "changes to training images, in order: crop, flip, mixup, ..."});
  v.option("views", views,
           {.help = "augmented variants of each image, cycled by epoch; 0 = new ones every epoch",
            .min = 0,
            .max = 1000});
  v.option(
      "image_size", image_size,
      {.help = "side of the square that the models see, in pixels; 0 = what the teacher or student wants",
       .min = 0,
       .max = 16384});
  v.option("crop_pct", crop_pct,
           {.help = "share of the scaled picture's side that evaluation cuts out; 0 = the models' own",
            .min = 0,
            .max = 2});
  v.option(
      "crop_mode", crop_mode,
      {.help = "how evaluation fits a picture: center scales the short side and cuts, squash scales both "
               "sides, border scales the long side and fills up; empty = the models' own",
       .choices = {"", "center", "squash", "border"}});
  v.option("interpolation", interpolation,
           {.help = "how pictures are scaled; empty = the models' own",
            .choices = {"", "nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"}});
  v.option(
      "mean", mean,
      {.help = "normalisation, a value a channel, of pixels in 0..1; empty = the teacher's, else ImageNet's",
       .min = 0,
       .max = 1});
  v.option(
      "std", std,
      {.help = "normalisation, a value a channel, of pixels in 0..1", .min = 0, .max = 1, .min_open = true});
  v.option("classes", classes,
           {.help = "names of the classes of weights that come without, in the order of their outputs"});
  v.option("loader_threads", loader_threads,
           {.help = "threads that decode and augment; 0 = the training thread itself", .min = 0, .max = 256});
  v.option("cache_mb", cache_mb, {.help = "decoded images kept in memory, in MB", .min = 0, .max = 1 << 20});
}

void ModelConfig::visit(OptionVisitor& v) {
  v.option("model", model, {.help = "name of the architecture, e.g. cifar_resnet8"});
  v.option("weights", weights, {.help = "safetensors file for `model`; empty = fresh (a teacher needs one)"});
  v.option("path", path, {.help = "a model folder; instead of model and weights"});
  v.option(
      "script", script,
      {.help = "of a teacher of pictures: a TorchScript file, which is a program; instead of the others"});
  v.option("trust", trust,
           {.help = "the SHA-256 of `script`, which says that this program may run here; --trust writes it"});
  v.option(
      "answers", answers,
      {.help = "of a teacher of pictures: a file of what it said of them, by name; instead of the others"});
  v.option(
      "from", from,
      {.help = "teacher: a student of text that begins as its teacher, usually with some of its `layers`",
       .choices = {"", "teacher"}});
  v.option(
      "layers", layers,
      {.help = "of a text model: made from scratch, how many (default: the architecture's); of a folder or "
               "from the teacher, those that the student keeps, counted from 0, e.g. [0, 2, 5] (default: "
               "all)"});
  v.option("width", width,
           {.help = "multiplier of every channel count of `model`", .min = 0, .max = 64, .min_open = true});
  v.option("head", head,
           {.help = "classifier of given weights: auto takes its rows over by the names of the classes and "
                    "makes a fresh one where the classes are others; fresh always does",
            .choices = {"auto", "fresh"}});
  v.option("image_size", image_size,
           {.help = "of a teacher: side of the square that it sees, of the same part of the picture as the "
                    "student; 0 = that of the student (data.image_size)",
            .min = 0,
            .max = 4096});
  sizes.visit(v);
}

namespace {

void visit_steps(TrainConfig& t, OptionVisitor& v) {
  v.option("epochs", t.epochs, {.help = "passes over the training images", .min = 1, .max = 1'000'000});
  v.option("max_steps", t.max_steps,
           {.help = "stop after this many optimizer steps; 0 = by epochs", .min = 0});
  v.option("batch_size", t.batch_size, {.help = "samples of one optimizer step", .min = 1, .max = 1 << 20});
  v.option("micro_batch_size", t.micro_batch_size,
           {.help = "samples of one forward pass (less memory, same update); 0 = batch_size",
            .min = 0,
            .max = 1 << 20});
}

void visit_optimizer(TrainConfig& t, OptionVisitor& v) {
  v.option("optimizer", t.optimizer, {.help = "update rule", .choices = {"sgd", "adamw"}});
  v.option(
      "lr", t.lr,
      {.help = "learning rate after warm-up; 0 = sgd 0.1, adamw 0.001, and a tenth of it for weights that "
               "were trained before",
       .min = 0});
  v.option(
      "freeze", t.freeze,
      {.help = "what of the student does not train: layers or tensors by name, with * and ?, or 'all but "
               "the head'"});
  v.option("lr_scale", t.lr_scale,
           {.help = "factor of the learning rate by layer or tensor, as in freeze; the last that fits counts",
            .min = 0,
            .min_open = true});
  v.option("momentum", t.momentum,
           {.help = "sgd: share of the last step that is kept, below 1", .min = 0, .max = 1});
  v.option("nesterov", t.nesterov, {.help = "sgd: Nesterov momentum"});
  v.option("beta1", t.beta1, {.help = "adamw: decay of the first moment, below 1", .min = 0, .max = 1});
  v.option("beta2", t.beta2, {.help = "adamw: decay of the second moment, below 1", .min = 0, .max = 1});
  v.option("eps", t.eps, {.help = "adamw: added to the root of the second moment", .min = 0});
  v.option("weight_decay", t.weight_decay,
           {.help = "sgd: L2 term of the gradient; adamw: decoupled", .min = 0});
  v.option("decay_norm_bias", t.decay_norm_bias, {.help = "weight decay on norms and biases too"});
  v.option("schedule", t.schedule,
           {.help = "course of the learning rate", .choices = {"constant", "step", "cosine", "linear"}});
  v.option(
      "milestones", t.milestones,
      {.help = "step: where the rate drops, as fractions of the run", .min = 0, .max = 1, .min_open = true});
  v.option("gamma", t.gamma,
           {.help = "step: factor at each milestone", .min = 0, .max = 1, .min_open = true});
  v.option("warmup_epochs", t.warmup_epochs, {.help = "linear rise from 0 to lr", .min = 0});
  v.option("final_lr_frac", t.final_lr_frac, {.help = "cosine, linear: final rate / lr", .min = 0, .max = 1});
  v.option("clip_norm", t.clip_norm, {.help = "largest norm of the whole gradient; 0 = off", .min = 0});
  v.option("ema_decay", t.ema_decay,
           {.help = "moving average of the weights, evaluated and kept; 0 = off", .min = 0, .max = 1});
}

}  // namespace

void TeacherCacheConfig::visit(OptionVisitor& v) {
  v.option(
      "path", path,
      {.help = "a file NAME.cache, or a folder that gets a file for each teacher, data and augmentation; "
               "empty = off"});
  v.option("features", features,
           {.help = "how the teacher's maps are kept; int8 has a scale for each 64 values",
            .choices = {"fp32", "bf16", "int8"}});
  v.option("top_k", top_k,
           {.help = "logits kept of each sample, the others share what is left of the probability; 0 = all",
            .min = 0});
  v.option("limit_mb", limit_mb, {.help = "largest size of the file, in MiB", .min = 1, .max = 1 << 30});
}

void TrainConfig::visit(OptionVisitor& v) {
  visit_steps(*this, v);
  visit_optimizer(*this, v);
  v.option("label_smoothing", label_smoothing,
           {.help = "of the cross_entropy that stands in when `losses` is empty", .min = 0, .max = 1});
  v.option("precision", precision,
           {.help = "of matrix products and convolutions", .choices = {"fp32", "bf16"}});
  v.option("channels_last", channels_last,
           {.help = "memory layout of images and maps; the results are the same"});
  v.option(
      "winograd", winograd,
      {.help = "convolutions 3x3 of teacher, student and losses by Winograd's F(4x4, 3x3): faster on the "
               "CPU in fp32, with errors of some 1e-5 of the largest value"});
  v.option("skip_hidden", skip_hidden,
           {.help = "leave out the arithmetic on what masks hide; false computes and masks it, as a check, "
                    "whatever `skip` a loss has"});
  v.option("eval_every", eval_every, {.help = "epochs between evaluations", .min = 1});
  v.option("early_stop", early_stop,
           {.help = "stop after this many evaluations without a better one; 0 = off", .min = 0});
  v.option("log_every", log_every, {.help = "steps between logged rows", .min = 1});
  v.option("checkpoint_every", checkpoint_every,
           {.help = "steps between checkpoints; 0 = once an epoch", .min = 0});
  v.group("teacher_cache", teacher_cache,
          {.help = "keeps the teacher's outputs (needs data.views, or no augmentation)"}, "path");
  v.option("teacher_norm", teacher_norm,
           {.help = "batch norm of the teacher; batch reproduces the reference code's train-mode teacher",
            .choices = {"eval", "batch"}});
  v.option("gradient_shares", gradient_shares,
           {.help = "measure now and then what share of the gradient each loss has, and tell of one that has "
                    "next to none"});
  v.option("check_teacher", check_teacher,
           {.help = "refuse a teacher that does no better than guessing on a first batch"});
  v.option("check_memory", check_memory,
           {.help = "refuse to start when a step would need more memory than is free"});
  v.option(
      "export_weights", export_weights,
      {.help = "which weights the model folder gets: the best epoch's by validation accuracy, or the last",
       .choices = {"best", "last"}});
}

void RunConfig::visit(OptionVisitor& v) {
  v.option("dir", dir, {.help = "folder of the run; empty = runs/RECIPE in the working folder"});
  // A seed becomes an unsigned key; negative ones would alias large ones.
  v.option("seed", seed, {.help = "of order, augmentation, masks and initialisation", .min = 0});
  v.option("threads", threads, {.help = "of the arithmetic; 0 = all cores", .min = 0, .max = 1024});
  v.option("baseline", baseline,
           {.help = "run folder of the same student alone, shown beside it in the report"});
  v.option("device", device, {.help = "where the arithmetic is done", .choices = {"cpu", "cuda"}});
  v.option("allocator", allocator,
           {.help = "of tensors on the CPU: caching keeps freed memory on huge pages, system gives it back",
            .choices = {"caching", "system"}});
}

void TeacherConfig::visit(OptionVisitor& v) {
  v.option("weight", weight,
           {.help = "of its logits, where those of all teachers are averaged", .min = 0, .min_open = true});
  model.visit(v);
}

void Config::visit(OptionVisitor& v) {
  v.option(
      "task", task,
      {.help =
           "what the model learns: a class (of pictures or texts), hidden tokens, the next token, the text "
           "from a damaged one, or how alike two texts are",
       .choices = {"classify", "mlm", "clm", "denoise", "embed"}});
  v.group("data", data, {.help = "the images or texts"}, "path");
  v.group("text", text, {.help = "how texts become samples"}, "tokenizer");
  v.group("objective", objective, {.help = "what of a text is hidden"});
  v.group("teacher", teacher, {.help = "the big network"}, "path");
  v.entries("teachers", teachers,
            {.help = "several of them, each with a name that losses refer to, and a weight"});
  v.group("student", student, {.help = "the network that is trained"}, "path");
  v.entries("losses", losses,
            {.help = "what is minimised; empty = cross_entropy with train.label_smoothing"});
  v.entries("masks", masks,
            {.help = "what the student does not get to see while it trains", .name_key = "mask"});
  v.group("train", train, {.help = "the optimisation"});
  v.group("run", run, {.help = "where and how it runs"});
}

}  // namespace mgd
