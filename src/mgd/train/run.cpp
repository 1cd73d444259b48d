#include "mgd/train/run.h"

#include <fmt/ranges.h>

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/mask/mask_entry.h"
#include "mgd/nn/device.h"
#include "mgd/task/tasks.h"
#include "mgd/teach/sliced_teacher.h"
#include "mgd/train/no_gradient.h"
#include "mgd/train/teacher_note.h"

namespace mgd {

namespace {

// The answers of a live teacher, who sees what the losses read of it.
TeacherPass pass_of(const Run& run, std::size_t teacher) {
  const TrainConfig& train = run.config.train;
  TeacherPass pass{.taps = {},
                   .device = run.device,
                   .bf16 = run.bf16(),
                   .winograd = train.winograd,
                   .skip_hidden = train.skip_hidden,
                   .training_mode = train.teacher_norm == "batch"};
  for (const auto& active : run.losses)
    if (active.teacher == teacher)
      for (const auto& tap : active.loss->teacher_taps()) pass.taps.push_back(tap);
  return pass;
}

std::vector<OpenedTeacher> open_models(Run& run) {
  std::vector<OpenedTeacher> opened;
  for (const TeacherConfig& teacher : run.config.all_teachers()) {
    opened.push_back(run.task->open_teacher(teacher.model, teacher.where));
    run.teachers.push_back(std::make_unique<RunTeacher>());
    run.teachers.back()->name = teacher.name;
    run.teachers.back()->weight = teacher.weight;
    run.teachers.back()->facts = opened.back().facts;
  }
  OpenedStudent student = run.task->open_student();
  run.student_given = student.given;
  run.student_summary = std::move(student.summary);
  run.student = std::move(student.model);
  run.student->to(run.device);
  if (run.config.train.channels_last) run.student->to_channels_last();
  return opened;
}

// What trains, and the rate that suits it where the recipe gives none.
void settle_training(Run& run) {
  run.parts = choose_trained_parts(*run.student, run.config);
  TrainConfig& train = run.config.train;
  if (train.lr == 0)
    train.lr = default_learning_rate(train.optimizer, run.student_given && !run.parts.head_alone);
}

std::vector<std::string> names_of_teachers(const Run& run) {
  std::vector<std::string> names;
  for (const auto& teacher : run.teachers) names.push_back(teacher->name);
  return names;
}

// What an entry says of whom it listens to; null: nothing.
const Node* said_teacher(const Node& entry) {
  const Node* said = entry.find("teacher");
  return said != nullptr && !said->scalar.empty() ? said : nullptr;
}

// The one that an entry names; the first where it names none.
std::size_t named_teacher(const Run& run, const Node& entry) {
  const Node* wanted = said_teacher(entry);
  if (wanted == nullptr) return 0;
  if (wanted->scalar == "all") return kAllTeachers;
  const std::vector<std::string> names = names_of_teachers(run);
  const auto found = std::find(names.begin(), names.end(), wanted->scalar);
  if (found == names.end())
    fail(ExitCode::usage, "{}: losses.{}: no teacher is called '{}'{}", wanted->origin.text(),
         entry.find("name")->scalar, printable(wanted->scalar), suggestion(wanted->scalar, names));
  return static_cast<std::size_t>(found - names.begin());
}

void refuse_missing_logits(const RunTeacher& teacher, const Node& entry, const Loss& loss) {
  if (!teacher.facts.no_logits.empty())
    fail(ExitCode::usage,
         "{}: losses.{}: it compares logits, and {}; losses on features (mgd, mimic, at) serve",
         entry.origin.text(), loss.label(), teacher.facts.no_logits);
}

// Whom a loss listens to: losses between logits to all teachers, where none is named. Throws Error(usage) for
// one that cannot.
std::size_t heard_teacher(const Run& run, const Node& entry, const Loss& loss, std::size_t named) {
  const auto refuse = [&](const std::string& what) {
    fail(ExitCode::usage, "{}: losses.{}: {}", entry.origin.text(), loss.label(), what);
  };
  const bool says = said_teacher(entry) != nullptr;
  if (says && !loss.needs_teacher()) refuse("teacher: it listens to none");
  if (!loss.needs_teacher() || run.teachers.empty()) return 0;
  std::size_t heard = named;
  const bool averages =
      loss.reads_teacher_logits() && run.teachers.front()->facts.answers == AnswerKind::classes;
  if (!says && run.teachers.size() > 1 && averages) heard = kAllTeachers;
  if (run.teachers.size() > 1 && !says && !averages)
    refuse(fmt::format("there are the teachers {}; say which with teacher: NAME",
                       fmt::join(names_of_teachers(run), ", ")));
  if (heard == kAllTeachers && !averages)
    refuse("teacher: all: only logits of classes are averaged; say which teacher with its name");
  if (!loss.reads_teacher_logits()) return heard;
  for (std::size_t i = 0; i < run.teachers.size(); ++i)
    if (heard == kAllTeachers || heard == i) refuse_missing_logits(*run.teachers[i], entry, loss);
  return heard;
}

// 0: it gives none.
std::int64_t embedding_size(const NodeInfos& nodes) {
  const auto found = nodes.find(kEmbeddingNode);
  return found == nodes.end() ? 0 : found->second.sizes.at(0);
}

// Losses between vectors count samples, and a sample may be two sequences with a vector each.
void refuse_vectors_of_sequences(const Node& entry, const Loss& loss, const NodeInfos& student) {
  for (const std::string& tap : loss.student_taps())
    if (const auto found = student.find(tap);
        found != student.end() && found->second.axes == Axes::vector && found->second.of_sequence)
      fail(ExitCode::usage, "{}: losses.{}: it compares features of pictures, and '{}' is a vector of a text",
           entry.origin.text(), loss.label(), tap);
}

LossContext context_of(const Run& run, const NodeInfos& student, std::size_t named) {
  const TeacherFacts none;
  const TeacherFacts& facts =
      run.teachers.empty() ? none : run.teachers[named == kAllTeachers ? 0 : named]->facts;
  const NodeInfos teacher = facts.summary.node_infos();
  return {.student = student,
          .teacher = teacher,
          .student_default_tap = run.student->default_tap(),
          .teacher_default_tap = facts.default_tap,
          .student_attention = run.student->attention_nodes(),
          .teacher_attention = facts.attention,
          .num_classes = run.task->num_classes(),
          .num_samples = run.task->num_samples(),
          .answers = run.student->answer_kind(),
          .embedding_size = embedding_size(student),
          .teacher_embedding_size = embedding_size(teacher),
          .seed = static_cast<std::uint64_t>(run.config.run.seed),
          .winograd = run.config.train.winograd,
          .skip_hidden = run.config.train.skip_hidden,
          .own = run.host.losses};
}

void refuse_second_label(const Run& run, const Node& entry, const Loss& loss) {
  for (const auto& other : run.losses)
    if (other.loss->label() == loss.label())
      fail(ExitCode::usage,
           "{}: losses: '{}' is there twice; merge them, name different taps, or give one a label",
           entry.origin.text(), loss.label());
}

void refuse_samples_elsewhere(const Run& run, const Node& entry, const Loss& loss) {
  if (run.group->size() > 1 && (loss.scope() == Scope::step || loss.remembers()))
    fail(ExitCode::usage,
         "{}: losses.{}: it relates all samples of {} to each other, and {} ranks have a part each; "
         "leave it out or train on one",
         entry.origin.text(), loss.label(), loss.remembers() ? "several steps" : "a step", run.group->size());
}

void refuse_unread_pictures(const Run& run) {
  if (!run.config.data.unlabelled.empty() &&
      std::ranges::all_of(run.losses, [](const ActiveLoss& active) { return active.loss->reads_targets(); }))
    fail(ExitCode::usage,
         "data.unlabelled: every loss of the recipe reads labels, so nothing is learned from pictures "
         "without; "
         "add one that needs none (kd, mgd, mimic), or leave them out");
}

ActiveLoss activated(const Run& run, std::unique_ptr<Loss> loss, std::size_t teacher) {
  ActiveLoss active{.loss = std::move(loss), .mask = std::nullopt, .teacher = teacher};
  if (const auto* request = active.loss->mask_request()) {
    MaskOptions options;
    read_options(request->options, options, "losses." + active.loss->label());
    check_mask(request->options, "losses." + active.loss->label(), options, request->node.axes);
    if (request->compares_hidden && std::max(options.mask_ratio, options.mask_ratio_end) == 0)
      fail(ExitCode::usage,
           "{}: losses.{}: mask_ratio: with 0 nothing is hidden, and `on: hidden` compares nothing else",
           request->options.origin.text(), active.loss->label());
    active.mask.emplace(options, static_cast<std::uint64_t>(run.config.run.seed), active.loss->label());
  }
  if (Module* blocks = active.loss->trainable()) {
    blocks->to(run.device);
    if (run.config.train.channels_last) blocks->to_channels_last();
  }
  return active;
}

void open_losses(Run& run) {
  const NodeInfos student = run.student_summary.node_infos();
  for (const Node& entry : run.config.losses) {
    const std::size_t named = named_teacher(run, entry);
    for (auto& loss : make_losses(entry, context_of(run, student, named))) {
      const std::size_t heard = heard_teacher(run, entry, *loss, named);
      refuse_vectors_of_sequences(entry, *loss, student);
      if (loss->reads_targets()) run.task->require_targets();
      if (const auto scores = run.task->scores()) loss->check_scores(scores->least, scores->largest);
      refuse_second_label(run, entry, *loss);
      refuse_samples_elsewhere(run, entry, *loss);
      run.losses.push_back(activated(run, std::move(loss), heard));
    }
  }
  refuse_no_weight(run);
  refuse_unread_pictures(run);
  run.task->student_answers_learn(
      std::any_of(run.losses.begin(), run.losses.end(), [&](const ActiveLoss& active) {
        return active.loss->reads_targets() || active.loss->reads_teacher_logits() ||
               std::ranges::any_of(active.loss->student_taps(),
                                   [&](const std::string& tap) { return run.student->of_head(tap + "."); });
      }));
  run.node_masks =
      make_node_masks(run.config.masks, student, static_cast<std::uint64_t>(run.config.run.seed));
  for (auto& mask : run.node_masks) mask->to(run.device);
}

void open_stream(Run& run) {
  const TrainConfig& train = run.config.train;
  run.loader = run.task->training_stream();
  run.loader->take_part(run.group->rank(), run.group->size());
  run.steps_per_epoch = run.loader->steps_per_epoch();
  run.total_steps = run.steps_per_epoch * train.epochs;
  if (train.max_steps > 0) run.total_steps = std::min(run.total_steps, train.max_steps);
}

void refuse_cache_where_nothing_comes_twice(const Run& run) {
  if (run.task->num_views() == 0)
    fail(ExitCode::usage, "train.teacher_cache: nothing would come twice: {}", run.task->why_no_views());
  if (run.config.train.teacher_norm == "batch")
    fail(ExitCode::usage,
         "train.teacher_cache: with teacher_norm: batch the teacher changes from step to step; nothing can "
         "be kept");
}

constexpr std::int64_t kShapesAtOnce = 256;

// What losses read of the teacher.
KeptAnswers kept_answers(const Run& run, std::size_t teacher, const TeacherPass& pass) {
  const TeacherFacts& facts = run.teachers[teacher]->facts;
  KeptAnswers kept{.num_classes = facts.answers == AnswerKind::classes ? facts.num_outputs : 0};
  const NodeInfos nodes = facts.summary.node_infos();
  if (facts.answers == AnswerKind::embedding) kept.embedding_size = embedding_size(nodes);
  for (const std::string& tap : pass.taps) kept.taps[tap] = nodes.at(tap);
  if (facts.answers != AnswerKind::vocabulary) return kept;
  for (const auto& active : run.losses) {
    if (active.teacher != teacher || !active.loss->reads_teacher_logits()) continue;
    if (kept.vocabulary > 0 && kept.temperature != active.loss->temperature())
      fail(ExitCode::usage,
           "train.teacher_cache: losses compare scores at the temperatures {:g} and {:g}, and those of a "
           "language "
           "model are kept at one",
           kept.temperature, active.loss->temperature());
    kept.vocabulary = facts.num_outputs;
    kept.temperature = active.loss->temperature();
  }
  return kept;
}

std::unique_ptr<TeacherCache> open_cache(const Run& run, std::size_t place, const TeacherPass& pass) {
  const RunTeacher& teacher = *run.teachers[place];
  const TrainConfig& train = run.config.train;
  if (train.teacher_cache.path.empty()) return nullptr;
  refuse_cache_where_nothing_comes_twice(run);
  TeacherCacheOptions options{.config = train.teacher_cache,
                              .facts = run.task->identity(),
                              .num_samples = run.task->num_samples(),
                              .num_views = run.task->num_views(),
                              .kept = kept_answers(run, place, pass)};
  if (TargetLayout(options.kept, options.config).ragged())
    options.shapes = sample_shapes(*run.task->ordered_stream(kShapesAtOnce), options.num_views);
  if (run.task->views_of_seed()) options.facts["seed"] = fmt::format("{}", run.config.run.seed);
  // The same data, seen the same way, through the same teacher; by whatever student.
  options.facts.erase("student");
  options.facts["teacher"] = teacher.facts.summary.architecture + ", weights " + teacher.facts.hash;
  options.facts["precision"] = train.precision + (train.winograd ? ", Winograd" : "");
  return std::make_unique<TeacherCache>(std::move(options));
}

// Model, pictures of its size, slices, cache: from the inside to the outside.
void build_teacher(Run& run, std::size_t place, OpenedTeacher opened) {
  const TrainConfig& train = run.config.train;
  RunTeacher& teacher = *run.teachers[place];
  TeacherPass pass = pass_of(run, place);
  teacher.slice =
      slice_size(teacher.facts.summary,
                 train.micro_batch_size > 0 ? train.micro_batch_size : train.batch_size, run.device);
  teacher.cache = open_cache(run, place, pass);
  auto live = std::make_unique<LiveTeacher>(std::move(opened.model), std::move(opened.open),
                                            train.channels_last, std::move(pass));
  teacher.live = live.get();
  teacher.front = run.task->show_to(std::move(live), teacher.slice);
  if (!teacher.cache) return;
  auto cached = std::make_unique<CachedTeacher>(std::move(teacher.front), *teacher.cache, run.device);
  teacher.cached = cached.get();
  teacher.front = std::move(cached);
  const bool judged = run.task->num_classes() == 0 || noted_preflight(teacher);
  if (teacher.cache->complete() && judged)
    teacher.live->drop();
  else
    teacher.live->model();
}

// Of a student whose head trains alone.
void open_short_cut(Run& run) {
  if (!run.parts.head_alone || run.parts.frozen_parameters == 0) return;
  for (const auto& active : run.losses)
    if (!active.loss->student_taps().empty()) {
      run.no_short_cut = "losses." + active.loss->label() + " looks at the student's maps";
      return;
    }
  if (!run.node_masks.empty()) {
    run.no_short_cut = "masks hide parts of the student";
    return;
  }
  run.short_cut = run.task->short_cut(*run.student, run.student_summary, run.no_short_cut);
}

// Of the student, the blocks of losses and the masks, each with its prefix.
template <class Part>
std::vector<NamedTensor> of_all(const Run& run, const Part& part) {
  std::vector<NamedTensor> all;
  const auto append = [&](const Module& module, const std::string& prefix) {
    for (NamedTensor entry : part(module)) {
      entry.name = prefix + entry.name;
      all.push_back(std::move(entry));
    }
  };
  append(*run.student, "student/");
  for (const auto& active : run.losses)
    if (Module* blocks = active.loss->trainable()) append(*blocks, "loss/" + active.loss->label() + "/");
  for (const auto& mask : run.node_masks) append(*mask, "mask/" + mask->label() + "/");
  return all;
}

}  // namespace

std::vector<NamedTensor> Run::parameters() const {
  return of_all(*this, [](const Module& module) { return module.parameters(); });
}

std::vector<NamedTensor> Run::buffers() const {
  return of_all(*this, [](const Module& module) { return module.buffers(); });
}

std::vector<NamedTensor> Run::trainable() const {
  std::vector<NamedTensor> all = parameters();
  std::erase_if(all, [](const NamedTensor& entry) { return !entry.tensor.requires_grad(); });
  return all;
}

std::unique_ptr<Run> make_run(const Config& config, const Host& host) {
  if (!config.run.baseline.empty()) require_regular_file(fs::path(config.run.baseline) / "summary.json");
  return make_run(config, make_task(config, open_device(config.run.device, "run.device"), host), host);
}

std::unique_ptr<Run> make_run(const Config& config, std::unique_ptr<Task> task, const Host& host) {
  check_own(host.losses);
  auto run = std::make_unique<Run>();
  run->config = config;
  run->host = host;
  if (host.group) run->group = host.group;
  run->device = open_device(config.run.device, "run.device");
  run->task = std::move(task);
  std::vector<OpenedTeacher> teachers = open_models(*run);
  settle_training(*run);
  open_losses(*run);
  open_short_cut(*run);
  open_stream(*run);
  for (std::size_t i = 0; i < teachers.size(); ++i) build_teacher(*run, i, std::move(teachers[i]));
  return run;
}

}  // namespace mgd
