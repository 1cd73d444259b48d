// A tree -> a checked Config: what single options cannot know of each other.
#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/format/config.h"

namespace mgd {

namespace {

// An error at the place where `path` was written, or where its group was.
[[noreturn]] void refuse(const Config& config, const std::string& path, const std::string& what) {
  throw Error(ExitCode::usage, place_of(origin_of(config.tree, path)) + path + ": " + what);
}

void check_text(const Config& config) {
  const TextDataConfig& text = config.text;
  if (text.columns.size() > 2)
    refuse(config, "text.columns",
           fmt::format("got {} columns, expected that of the text, or two of a pair", text.columns.size()));
  const bool labelled = config.task == "classify" || config.task == "embed";
  if (labelled && text.samples != "documents")
    refuse(config, "text.samples",
           fmt::format("got {}, but with task {} each document has a target of its own; use documents",
                       text.samples, config.task));
}

void check_objective(const Config& config) {
  const ObjectiveConfig& objective = config.objective;
  if (objective.mask_ratio < 0 && objective.mask_ratio != -1)
    refuse(
        config, "objective.mask_ratio",
        fmt::format("got {}, expected 0 ... 1, or -1 for the task's own", number_text(objective.mask_ratio)));
  if (objective.mask_ratio == 0 && config.task == "mlm")
    refuse(config, "objective.mask_ratio", "got 0, but a masked model learns from what is hidden");
  if (objective.mask_frac + objective.random_frac > 1)
    refuse(config, "objective.random_frac",
           fmt::format("got {} with mask_frac {}, expected at most 1 together",
                       number_text(objective.random_frac), number_text(objective.mask_frac)));
}

// What stands for a teacher without being a model of ours.
void check_strangers(const Config& config, const ModelConfig& model, const std::string& role) {
  if (!model.trust.empty() && model.script.empty())
    refuse(config, role + ".trust", "it belongs to a TorchScript file, and there is no " + role + ".script");
  if (model.script.empty() && model.answers.empty()) return;
  const std::string key = model.script.empty() ? "answers" : "script";
  const std::string& file = model.script.empty() ? model.answers : model.script;
  if (role == "student") refuse(config, "student." + key, "it can teach, but it has no layers to train");
  if (config.reads_text())
    refuse(config, join_path(role, key), "it is for teachers of pictures, and this task reads texts");
  for (const auto& [other, given] : {std::pair{"model", !model.model.empty()},
                                     {"weights", !model.weights.empty()},
                                     {"path", !model.path.empty()},
                                     {"width", model.width != 1.0},
                                     {"answers", key == "script" && !model.answers.empty()}})
    if (given)
      refuse(config, join_path(role, other),
             fmt::format("got both {} and {} ({}), give one of the two", other, key, file));
  if (key == "answers" && model.image_size > 0)
    refuse(config, join_path(role, "image_size"), "a file of answers looks at no pictures");
}

// A folder, or the teacher that a student begins as, has sizes of its own.
void check_sizes(const Config& config, const ModelConfig& model, const std::string& role) {
  TextSizes plain;
  plain.layers = model.sizes.layers;
  const Node given = write_options(model.sizes), otherwise = write_options(plain);
  for (const auto& [key, value] : given.fields)
    if (to_yaml_flow(value) != to_yaml_flow(*otherwise.find(key)))
      refuse(config, join_path(role, key),
             fmt::format("got {}, but {} knows its sizes; they are for models made from scratch",
                         to_yaml_flow(value), model.path));
}

void check_model(const Config& config, const ModelConfig& model, const std::string& role) {
  check_strangers(config, model, role);
  if (model.path.empty()) {
    if (model.model.empty() && !model.weights.empty() && config.reads_text())
      refuse(config, role + ".weights", fmt::format("weights need an architecture; add {}.model", role));
    return;
  }
  if (!model.model.empty())
    refuse(config, role + ".model",
           fmt::format("got both model and path ({}); a model folder knows its architecture, "
                       "give one of the two",
                       model.path));
  if (!model.weights.empty())
    refuse(
        config, role + ".weights",
        fmt::format("got both weights and path ({}); a model folder holds its weights, give one of the two",
                    model.path));
  if (model.width != 1.0)
    refuse(config, role + ".width",
           fmt::format("got both width and path ({}); a model folder knows its width", model.path));
  check_sizes(config, model, role);
}

void check_origin_of_student(Config& config) {
  ModelConfig& student = config.student;
  for (const char* key : {"from", "layers"}) {
    const bool given =
        std::string_view(key) == "from" ? !config.teacher.from.empty() : !config.teacher.layers.empty();
    if (given) refuse(config, std::string("teacher.") + key, "it is for a student");
  }
  if (!student.from.empty()) {
    if (config.teacher.path.empty())
      refuse(
          config, "student.from",
          config.teachers.empty()
              ? "there is no teacher to begin as; name a folder under teacher"
              : "it is for a single teacher; of several, name the one to begin as: student: {path: FOLDER}");
    if (!student.path.empty() || !student.model.empty())
      refuse(config, "student.from", "got another model as well; give one of the two");
    student.path = config.teacher.path;
    check_model(config, student, "student");
  }
  if (student.layers.empty()) return;  // all of them; a stored configuration says so with an empty list
  if (student.path.empty()) {
    constexpr std::int64_t kMost = 1000;
    if (student.layers.size() != 1 || student.layers[0] < 0 || student.layers[0] > kMost)
      refuse(config, "student.layers",
             "a model made from scratch takes their number, 0 ... 1000 (0 = the architecture's); layers are "
             "kept "
             "of a folder, or from the teacher");
    student.sizes.layers = student.layers[0];
    return;
  }
  if (!config.reads_text())
    refuse(config, "student.layers", "kept are layers of text models; this task reads pictures");
  const Node* given = config.tree.find("student")->find("layers");
  if (given != nullptr && given->kind == Node::Kind::scalar)
    refuse(
        config, "student.layers",
        fmt::format("got {}; list the layers that are kept, counted from 0, e.g. [0, 2, 5]", given->scalar));
  if (!std::is_sorted(student.layers.begin(), student.layers.end(), std::less_equal<>()) ||
      student.layers.front() < 0)
    refuse(config, "student.layers", "expected layers in their order, each once, counted from 0");
}

// Keys that need a teacher have one, and what a teacher of another size sees is what the student sees.
void check_teacher_keys(const Config& config) {
  if (config.student.image_size > 0)
    refuse(config, "student.image_size", "the student's size is data.image_size");
  if (!config.train.teacher_cache.path.empty() && !config.teacher.given() && config.teachers.empty())
    refuse(config, "train.teacher_cache",
           "there is no teacher whose answers could be kept; name one under teacher");
  if (config.teacher.image_size == 0) return;
  if (!config.teacher.given())
    refuse(config, "teacher.image_size", "there is no teacher; name one under teacher");
  if (config.reads_text()) refuse(config, "teacher.image_size", "it is for pictures; this task reads texts");
  for (const Node& step : config.data.augment) {
    const std::string& name = step.find("name")->scalar;
    if (name == "crop" || name == "cutout" || name == "cutmix")
      refuse(config, "teacher.image_size",
             fmt::format("`{}` counts in pixels, so teacher and student would see different parts of a "
                         "picture; random_resized_crop, flip, color_jitter and mixup serve",
                         name));
  }
}

// A path is relative to the recipe that holds it; what is typed on the command line, to the working folder.
void make_absolute(const Config& config, const char* key, std::string& path,
                   const std::filesystem::path& base) {
  if (path.empty()) return;
  const bool typed = origin_of(config.tree, key).source.starts_with("command line");
  path = std::filesystem::absolute(typed ? std::filesystem::path(path) : base / path)
             .lexically_normal()
             .string();
}

TeacherConfig read_teacher(const Node& node, std::size_t place) {
  TeacherConfig teacher{.name = node.find("name")->scalar, .where = fmt::format("teachers.{}", place)};
  read_options(node, teacher, teacher.where, {"name"});
  return teacher;
}

void check_teachers(Config& config, const std::filesystem::path& base) {
  if (config.teachers.empty()) return;
  if (config.teacher.given())
    refuse(config, "teachers", "there is a `teacher` as well; list all of them here");
  if (config.teachers.size() > 1 &&
      std::filesystem::path(config.train.teacher_cache.path).extension() == ".cache")
    refuse(config, "train.teacher_cache.path",
           "one file holds the answers of one teacher; name a folder, which gets a file for each of them");
  std::vector<std::string> names;
  for (std::size_t i = 0; i < config.teachers.size(); ++i) {
    Node& node = config.teachers[i];
    TeacherConfig teacher = read_teacher(node, i);
    check_model(config, teacher.model, teacher.where);
    if (!teacher.model.given())
      refuse(config, teacher.where,
             fmt::format("'{}' is a name without a model; write {{name: {}, path: FOLDER}}", teacher.name,
                         teacher.name));
    if (teacher.name == "all")
      refuse(config, teacher.where, "the name 'all' means the average of all teachers");
    for (const std::string& other : names)
      if (other == teacher.name)
        refuse(config, teacher.where,
               fmt::format("'{}' is there twice; losses name a teacher", teacher.name));
    for (const auto& [key, given] :
         {std::pair{"from", !teacher.model.from.empty()}, {"layers", !teacher.model.layers.empty()}})
      if (given) refuse(config, join_path(teacher.where, key), "it is for a student");
    if (teacher.model.image_size > 0)
      refuse(config, join_path(teacher.where, "image_size"),
             "several teachers see pictures of the student's size");
    for (const auto& [key, path] : {std::pair{"path", &teacher.model.path},
                                    {"weights", &teacher.model.weights},
                                    {"script", &teacher.model.script},
                                    {"answers", &teacher.model.answers}}) {
      if (path->empty()) continue;
      make_absolute(config, join_path(teacher.where, key).c_str(), *path, base);
      node.set(key, Node::make_scalar(*path));  // what the run's folder keeps of the recipe
    }
    names.push_back(teacher.name);
  }
}

void check_data(const Config& config) {
  const DataConfig& data = config.data;
  if (!data.mean.empty() && !data.std.empty() && data.mean.size() != data.std.size())
    refuse(config, "data.std",
           fmt::format("got {} values, expected {} as in data.mean", data.std.size(), data.mean.size()));
  if (data.mean.empty() != data.std.empty())
    refuse(config, data.mean.empty() ? "data.std" : "data.mean", "give both mean and std, or neither");
  if (data.channels == 2)
    refuse(config, "data.channels", "got 2, expected 1 (grey), 3 (colour) or 0 (by the pictures)");
}

void check_train(const Config& config) {
  const TrainConfig& train = config.train;
  if (train.micro_batch_size > train.batch_size)
    refuse(config, "train.micro_batch_size",
           fmt::format("got {}, expected at most batch_size ({})", train.micro_batch_size, train.batch_size));
  if (train.micro_batch_size > 0 && train.batch_size % train.micro_batch_size != 0)
    refuse(config, "train.micro_batch_size",
           fmt::format("got {}, expected a divisor of batch_size ({})", train.micro_batch_size,
                       train.batch_size));
  if (std::adjacent_find(train.milestones.begin(), train.milestones.end(), std::greater_equal<>()) !=
      train.milestones.end())
    refuse(config, "train.milestones",
           fmt::format("got {}, expected increasing fractions",
                       to_yaml_flow(*write_options(train).find("milestones"))));
  // At 1 the moments and the average would never move.
  const std::pair<const char*, double> below_one[] = {{"momentum", train.momentum},
                                                      {"beta1", train.beta1},
                                                      {"beta2", train.beta2},
                                                      {"ema_decay", train.ema_decay},
                                                      {"label_smoothing", train.label_smoothing}};
  for (const auto& [name, value] : below_one)
    if (value >= 1)
      refuse(config, std::string("train.") + name,
             fmt::format("got {}, expected less than 1", number_text(value)));
  if (train.nesterov && train.momentum == 0)
    refuse(config, "train.nesterov", "got true with momentum 0; Nesterov's step needs momentum");
  // Only when there is no length in steps: a short trial run may end inside the warm-up.
  if (train.max_steps == 0 && train.warmup_epochs > static_cast<double>(train.epochs))
    refuse(
        config, "train.warmup_epochs",
        fmt::format("got {}, expected at most epochs ({})", number_text(train.warmup_epochs), train.epochs));
}

// `train.label_smoothing` belongs to the default loss; a recipe that lists losses says it there, or it would
// be ignored.
void check_label_smoothing(const Config& config) {
  if (config.losses.empty() || config.train.label_smoothing == 0) return;
  for (const Node& loss : config.losses)
    if (loss.find("name")->scalar == "cross_entropy" && loss.find("label_smoothing") != nullptr) return;
  refuse(config, "train.label_smoothing",
         "it belongs to the default loss, and this recipe lists its losses; write label_smoothing in the "
         "cross_entropy entry");
}

void default_losses(Config& config) {
  if (!config.losses.empty()) return;
  Node loss = Node::make_map();
  const bool embeds = config.task == "embed";
  loss.set("name", Node::make_scalar(embeds ? "cosine_similarity" : "cross_entropy"));
  loss.set("weight", Node::make_scalar("1"));
  if (!embeds) loss.set("label_smoothing", Node::make_scalar(number_text(config.train.label_smoothing)));
  config.losses.push_back(std::move(loss));
}

}  // namespace

std::vector<TeacherConfig> Config::all_teachers() const {
  std::vector<TeacherConfig> all;
  for (std::size_t i = 0; i < teachers.size(); ++i) all.push_back(read_teacher(teachers[i], i));
  if (all.empty() && teacher.given())
    all.push_back({.name = "teacher", .model = teacher, .where = "teacher"});
  return all;
}

Config read_config(Node tree, const std::filesystem::path& base_folder) {
  Config config;
  read_options(tree, config, "");
  config.tree = std::move(tree);
  check_text(config);
  check_objective(config);
  check_data(config);
  check_model(config, config.teacher, "teacher");
  check_model(config, config.student, "student");
  check_origin_of_student(config);
  check_teacher_keys(config);
  check_train(config);
  check_label_smoothing(config);
  default_losses(config);
  make_absolute(config, "data.path", config.data.path, base_folder);
  make_absolute(config, "data.unlabelled", config.data.unlabelled, base_folder);
  make_absolute(config, "text.tokenizer", config.text.tokenizer, base_folder);
  make_absolute(config, "text.cache_dir", config.text.cache_dir, base_folder);
  make_absolute(config, "train.teacher_cache.path", config.train.teacher_cache.path, base_folder);
  make_absolute(config, "teacher.weights", config.teacher.weights, base_folder);
  make_absolute(config, "teacher.path", config.teacher.path, base_folder);
  make_absolute(config, "teacher.script", config.teacher.script, base_folder);
  make_absolute(config, "teacher.answers", config.teacher.answers, base_folder);
  check_teachers(config, base_folder);
  make_absolute(config, "student.weights", config.student.weights, base_folder);
  make_absolute(config, "student.path", config.student.path, base_folder);
  return config;
}

Config parse_config(std::string_view yaml, const std::string& source) {
  return read_config(parse_yaml(yaml, source), ".");
}

}  // namespace mgd
