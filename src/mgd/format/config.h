// The typed recipe. Each option is declared once, in the visit() of its struct (config.cpp).
#pragma once

#include <filesystem>

#include "mgd/format/options.h"
#include "mgd/format/text_config.h"
#include "mgd/format/text_data_config.h"

namespace mgd {

struct DataConfig {
  // Folder, .tar(.gz|.xz|.zst|.bz2), .zip, CIFAR binary, IDX, .npz, .csv(.gz), list of pictures.
  std::string path;
  std::string format = "auto";  // auto | imagefolder | cifar | idx | npz | csv | list
  std::string unlabelled;       // more training pictures, without labels: anything `path` may be
  std::string labels = "auto";  // auto: a run goes without where pictures lie right in the folder; none
  std::string train = "train";  // name of each split inside `path`
  std::string test = "test";
  std::string validation_split = "auto";  // auto: val, valid, validation or dev where one is there; "" = none
  double validation = 0.1;     // fraction of train held out, evenly from each class, by a fixed rule
  std::int64_t per_class = 0;  // use only the first N training images of each class; 0 = all
  std::string label_column;    // of a .csv: its name, or first | last; "" = found by name and content
  std::int64_t channels = 0;   // 1 = grey, 3 = colour: pictures are converted; 0 = by the pictures
  double max_megapixels =
      64;  // larger pictures are refused from their header; a progressive JPEG counts threefold
  std::vector<Node> augment;  // training only
  std::int64_t views =
      0;  // augmentation cycles through this many variants of each image; 0 = new ones every epoch
  std::int64_t image_size =
      0;                      // side of the square that the models see; 0 = what they want (docs/pictures.md)
  double crop_pct = 0;        // share of the scaled picture that evaluation cuts out; 0 = the models' own
  std::string crop_mode;      // center | squash | border; "" = the models' own
  std::string interpolation;  // nearest | bilinear | bicubic | lanczos | ...; "" = the models' own
  std::vector<double> mean,
      std;  // normalisation; empty: the teacher's or model's own, else ImageNet's (grey: 0.5)
  std::vector<std::string>
      classes;  // names of the classes of weights that come without names, in their order
  std::int64_t loader_threads = 2;
  std::int64_t cache_mb = 1024;  // decoded images kept in memory
  void visit(OptionVisitor& v);
};

struct ModelConfig {
  std::string model;    // architecture name; "" with weights of an image model: found by its tensors
  std::string weights;  // safetensors file, or "" = fresh (student) / required (teacher)
  std::string path;     // a model folder; instead of model + weights
  std::string script;   // of a teacher: a TorchScript file; instead of the others
  std::string trust;    // the SHA-256 of that file, which says that it may run
  std::string answers;  // of a teacher: a file of its answers (teach/stored_answers.h); instead of the others
  double width = 1.0;   // of image models
  std::string from;     // "teacher": a student that begins as the teacher; instead of the others
  std::vector<std::int64_t>
      layers;                   // of a text model: how many, made from scratch; else the kept ones, from 0
  std::string head = "auto";    // auto | fresh: what becomes of the classifier of given weights
  std::int64_t image_size = 0;  // of a teacher that sees the student's pictures at another size; 0 = the same
  TextSizes sizes;              // of text models made from scratch
  void visit(OptionVisitor& v);
  bool given() const {
    return !model.empty() || !weights.empty() || !path.empty() || !script.empty() || !answers.empty();
  }
};

// One of several teachers.
struct TeacherConfig {
  std::string name;   // what losses call it
  double weight = 1;  // of its logits, where those of all are averaged
  ModelConfig model;
  std::string where;  // "teacher", "teachers.0": for messages
  void visit(OptionVisitor& v);
};

struct TeacherCacheConfig {
  std::string path;  // a file NAME.cache, or a folder that gets one for each teacher and data; "" = off
  std::string features = "fp32";  // fp32 | bf16 | int8
  std::int64_t top_k = 0;         // logits kept of each sample; 0 = all
  std::int64_t limit_mb = 32768;
  void visit(OptionVisitor& v);
};

struct TrainConfig {
  std::int64_t epochs = 30;
  std::int64_t max_steps = 0;         // stop after this many optimizer steps; 0 = by epochs
  std::int64_t batch_size = 128;      // samples of one optimizer step
  std::int64_t micro_batch_size = 0;  // samples of one forward pass; 0 = batch_size
  std::string optimizer = "sgd";      // sgd | adamw
  double lr = 0;                      // 0 = by the optimizer and the start (train/trained_parts.h)
  std::vector<std::string> freeze;    // layers or tensors that do not train; "all but the head"
  std::vector<NamedNumber> lr_scale;  // factor of the rate, by layer or tensor; the last that fits counts
  double momentum = 0.9;
  bool nesterov = false;
  double beta1 = 0.9, beta2 = 0.999, eps = 1e-8;
  double weight_decay = 5e-4;
  bool decay_norm_bias = true;                   // weight decay on norms and biases too
  std::string schedule = "cosine";               // constant | step | cosine | linear
  std::vector<double> milestones = {0.5, 0.75};  // step: fractions of the run
  double gamma = 0.1;                            // step: factor at each milestone
  double warmup_epochs = 0;
  double final_lr_frac = 0;        // cosine, linear: final lr / lr
  double clip_norm = 0;            // 0 = off
  double label_smoothing = 0;      // of the default cross_entropy when `losses` is empty
  double ema_decay = 0;            // 0 = off
  std::string precision = "fp32";  // fp32 | bf16
  bool channels_last = true;
  bool winograd = false;                // convolutions 3x3 by Winograd's F(4x4, 3x3)
  bool skip_hidden = true;              // false: what a mask hides is computed and thrown away
  std::int64_t eval_every = 1;          // epochs
  std::int64_t early_stop = 0;          // evaluations without a better one; 0 = off
  std::int64_t log_every = 10;          // steps
  std::int64_t checkpoint_every = 0;    // steps; 0 = once an epoch
  TeacherCacheConfig teacher_cache;     // keeps the teacher's outputs between epochs and runs
  std::string teacher_norm = "eval";    // eval | batch (reproduces the reference code's train-mode teacher)
  bool gradient_shares = true;          // measure now and then what share of the gradient each loss has
  bool check_teacher = true;            // refuse a teacher that does no better than guessing on a first batch
  bool check_memory = true;             // refuse what does not fit into the memory that is free
  std::string export_weights = "best";  // best (by validation accuracy) | last
  void visit(OptionVisitor& v);
};

struct RunConfig {
  std::string dir;  // run folder; "" = runs/RECIPE
  std::int64_t seed = 1;
  std::int64_t threads = 0;  // 0 = all cores
  std::string baseline;      // run folder of the same student alone, for the report's table
  std::string device = "cpu";
  std::string allocator = "caching";  // of CPU tensors: caching | system
  void visit(OptionVisitor& v);
};

struct Config {
  std::string task = "classify";  // classify | mlm | clm | denoise | embed
  DataConfig data;
  TextDataConfig text;
  ObjectiveConfig objective;
  ModelConfig teacher;
  std::vector<Node> teachers;  // several, in place of `teacher`
  ModelConfig student;
  std::vector<Node> losses;
  std::vector<Node> masks;
  TrainConfig train;
  RunConfig run;
  Node tree;  // what the user wrote, overrides applied, with origins
  void visit(OptionVisitor& v);

  std::vector<TeacherConfig> all_teachers() const;  // those of `teachers`, or `teacher`, or none

  // Whether the data are texts. `classify` is done on pictures too: those have neither tokens nor columns.
  bool reads_text() const { return task != "classify" || !text.tokenizer.empty() || !text.columns.empty(); }
};

// Reads a recipe file (or a recipe that comes with the program, by name), applies overrides, checks every key
// and value, and makes relative paths absolute (relative to the recipe; on the command line, to the working
// folder). Throws Error(missing_input) when no such recipe exists (nearest named), Error(usage) for
// everything written wrongly.
Config load_config(const std::string& recipe, const std::vector<std::string>& overrides);
Config read_config(Node tree, const std::filesystem::path& base_folder);  // the same from a tree
// From a recipe's text, which errors call `source`; relative paths are those of the working folder.
Config parse_config(std::string_view yaml, const std::string& source = "recipe");
std::string config_to_yaml(const Config& config);       // resolved: every value, defaults included
std::string config_with_origins(const Config& config);  // one line a value with where it came from
std::string config_schema();                            // every key with type, default, range, help

}  // namespace mgd
