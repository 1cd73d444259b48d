#include "mgd/task/picture_rules.h"

#include <algorithm>

#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/model/input_habit.h"
#include "mgd/task/identify.h"
#include "mgd/task/open_model.h"

namespace mgd {

namespace {

std::string size_text(PictureSize size) {
  return fmt::format("{} x {}", size.height, size.width);
}

const Viewer* first_with_folder(const std::vector<Viewer>& viewers) {
  const auto found =
      std::find_if(viewers.begin(), viewers.end(), [](const Viewer& v) { return v.folder.has_value(); });
  return found == viewers.end() ? nullptr : &*found;
}

std::string architecture_of(const Viewer& viewer) {
  return viewer.folder ? viewer.folder->architecture : viewer.architecture;
}

InputHabit habit_of(const Viewer& viewer) {
  // A size is all that a program says of its network: the rest is the field's habit.
  InputHabit habit = input_habit(viewer.own_side > 0 ? "cifar_resnet8" : architecture_of(viewer));
  if (viewer.own_side > 0) habit.height = habit.width = viewer.own_side;
  return habit;
}

void settle_size(const DataConfig& data, const std::vector<Viewer>& viewers, const PictureSurvey& survey,
                 PictureRules& rules) {
  if (data.image_size > 0) {
    rules.size = {.height = data.image_size, .width = data.image_size};
    rules.size_from = "as asked for";
    return;
  }
  if (const Viewer* viewer = first_with_folder(viewers)) {
    rules.size = {.height = viewer->folder->height, .width = viewer->folder->width};
    rules.size_from = fmt::format("the {}'s folder", viewer->role);
    return;
  }
  const std::string name = architecture_of(viewers.front());
  const InputHabit habit = habit_of(viewers.front());
  if (survey.one_size() && survey.largest.height <= habit.height && survey.largest.width <= habit.width) {
    rules.size = survey.largest;
    rules.size_from = "the size of all pictures";
    return;
  }
  rules.size = {.height = habit.height, .width = habit.width};
  rules.size_from = fmt::format("the habit of {}", name);
}

void refuse_other_size(const Viewer& viewer, const PictureRules& rules) {
  if (!viewer.folder || !viewer.folder->fixed_input_size) return;
  const PictureSize own{.height = viewer.folder->height, .width = viewer.folder->width};
  if (own != rules.size)
    fail(ExitCode::usage, "{}: fixed_input_size: the {} takes pictures of {} only, got {} ({})", viewer.place,
         viewer.role, size_text(own), size_text(rules.size), rules.size_from);
}

// Whether the pictures come as the model sees them: nothing is then to be scaled or cut.
bool come_ready(const PictureRules& rules, const PictureSurvey& survey) {
  return survey.one_size() && survey.largest == rules.size;
}

void settle_view(const DataConfig& data, const std::vector<Viewer>& viewers, const PictureSurvey& survey,
                 PictureRules& rules) {
  EvalTransform& view = rules.view;
  if (const Viewer* viewer = first_with_folder(viewers)) {
    const ModelFolderInfo& info = *viewer->folder;
    const bool test_size = rules.size == PictureSize{info.test_height, info.test_width};
    view = view_of(info, viewer->place);
    if (test_size && info.test_crop_pct > 0) view.crop_pct = info.test_crop_pct;
    rules.view_from = fmt::format("the {}'s folder", viewer->role);
  } else if (viewers.front().trained && !come_ready(rules, survey)) {
    const std::string name = architecture_of(viewers.front());
    const InputHabit habit = habit_of(viewers.front());
    view.crop_pct = habit.crop_pct;
    view.filter = filter_named(habit.interpolation, name);
    rules.view_from = fmt::format("the habit of {}", name);
  }
  if (data.crop_pct > 0) view.crop_pct = data.crop_pct;
  if (!data.crop_mode.empty()) view.mode = crop_mode_named(data.crop_mode, "data.crop_mode");
  if (!data.interpolation.empty()) view.filter = filter_named(data.interpolation, "data.interpolation");
}

Normalisation habit_levels(const Viewer& viewer, std::int64_t channels) {
  const InputHabit habit = habit_of(viewer);
  return channels == static_cast<std::int64_t>(habit.mean.size())
             ? Normalisation{.mean = habit.mean, .std = habit.std}
             : default_normalisation(channels);
}

// Several teachers are shown pictures of one size: Error(usage) for one whose folder says another.
void refuse_other_sizes(const std::vector<Viewer>& viewers, const PictureRules& rules) {
  for (const Viewer& viewer : viewers) {
    if (!viewer.role.starts_with("teachers.") || !viewer.folder) continue;
    const PictureSize own{.height = viewer.folder->height, .width = viewer.folder->width};
    if (own != rules.size)
      fail(ExitCode::usage,
           "{}: {} wants pictures of {}, and they come with {} ({}); all teachers see the same ones, so take "
           "one of "
           "that size, or write data.image_size to overrule both",
           viewer.role, viewer.place, size_text(own), size_text(rules.size), rules.size_from);
  }
}

// Several teachers are shown the same numbers: Error(usage) for one that learned from others.
void refuse_other_levels(const std::vector<Viewer>& viewers, std::int64_t channels,
                         const PictureRules& rules) {
  for (const Viewer& viewer : viewers) {
    if (!viewer.role.starts_with("teachers.")) continue;
    const Normalisation habit = habit_levels(viewer, channels);
    const bool says = viewer.folder && !viewer.folder->mean.empty();
    const std::vector<double>& mean = says ? viewer.folder->mean : habit.mean;
    const std::vector<double>& std = says ? viewer.folder->std : habit.std;
    if (mean != rules.mean || std != rules.std)
      fail(ExitCode::usage,
           "{}: {} wants mean {}, std {}, and the pictures come with mean {}, std {}; all teachers see the "
           "same "
           "numbers, so take one that learned from those, or write data.mean and data.std to overrule both",
           viewer.role, viewer.place, fmt::join(mean, " "), fmt::join(std, " "), fmt::join(rules.mean, " "),
           fmt::join(rules.std, " "));
  }
}

// The recipe's normalisation, else that of the first folder that has one, else the habit of the first
// architecture.
void settle_levels(const DataConfig& data, const std::vector<Viewer>& viewers, std::int64_t channels,
                   PictureRules& rules) {
  const Normalisation usual = habit_levels(viewers.front(), channels);
  const auto settle = [&](const std::vector<double>& asked, std::vector<double> ModelFolderInfo::*own,
                          const std::vector<double>& otherwise) {
    if (!asked.empty()) return asked;
    for (const Viewer& viewer : viewers)
      if (viewer.folder && !((*viewer.folder).*own).empty()) return (*viewer.folder).*own;
    return otherwise;
  };
  rules.mean = settle(data.mean, &ModelFolderInfo::mean, usual.mean);
  rules.std = settle(data.std, &ModelFolderInfo::std, usual.std);
  for (const auto* values : {&rules.mean, &rules.std})
    if (static_cast<std::int64_t>(values->size()) != channels)
      fail(ExitCode::usage, "data: mean and std need one value a channel: got {}, the images have {}",
           values->size(), channels);
}

// What becomes of pictures of other sizes; "" when all come as the model sees them.
std::string sizes_line(const PictureRules& rules, const PictureSurvey& survey) {
  if (survey.sizes == 0 || come_ready(rules, survey)) return "";
  const std::string seen = survey.looked < survey.pictures
                               ? fmt::format("{} of {} looked at", survey.looked, survey.pictures)
                               : fmt::format("all {}", survey.pictures);
  if (survey.one_size())
    return fmt::format("{} are {} (height x width), brought to {}", seen, size_text(survey.largest),
                       size_text(rules.size));
  return fmt::format("{} sizes from {} to {} (height x width; {}), brought to {}", survey.sizes,
                     size_text(survey.smallest), size_text(survey.largest), seen, size_text(rules.size));
}

std::string colour_line(const PictureSurvey& survey, std::int64_t channels) {
  const std::int64_t readable = survey.looked - survey.unreadable;
  if (channels == 3 && survey.grey > 0)
    return fmt::format("{} of {} are grey: shown to the model in three equal channels", survey.grey,
                       readable);
  if (channels == 1 && survey.grey < readable)
    return fmt::format("{} of {} have colours: shown to the model in grey", readable - survey.grey, readable);
  return "";
}

std::int64_t channels_of_file(const ModelConfig& model, const OwnModel* own) {
  std::vector<std::string> notes;
  const TensorMap tensors = load_image_tensors(model.weights, notes);
  if (own == nullptr) return borders_of(model.model, tensors).channels;
  return borders_of(outline_of({.architecture = own->name, .build = own->build}).value(), tensors).channels;
}

}  // namespace

std::vector<Viewer> viewers_of(const Config& config, std::span<const OwnModel> own) {
  std::vector<Viewer> viewers;
  const auto add = [&](const std::string& role, const ModelConfig& model) {
    Viewer viewer{.role = role, .place = model.path.empty() ? model.weights : model.path};
    if (!model.path.empty())
      viewer.folder = load_model_config(model.path);
    else if (model.model.empty())
      return;
    viewer.architecture = model.model;
    const OwnModel* of_program = find_own(own, architecture_of(viewer));
    if (of_program != nullptr) viewer.own_side = of_program->side;
    viewer.trained = !model.weights.empty();
    if (viewer.folder) viewer.channels = viewer.folder->in_channels;
    if (viewer.trained && fs::exists(model.weights)) viewer.channels = channels_of_file(model, of_program);
    viewers.push_back(std::move(viewer));
  };
  for (const TeacherConfig& teacher : config.all_teachers()) add(teacher.where, teacher.model);
  add("student", config.student);
  return viewers;
}

std::int64_t wanted_channels(const std::vector<Viewer>& viewers) {
  for (const Viewer& viewer : viewers)
    if (viewer.channels == 1 || viewer.channels == 3) return viewer.channels;
  return 0;
}

EvalTransform view_of(const ModelFolderInfo& info, const std::string& place) {
  EvalTransform view{.crop_pct = info.crop_pct,
                     .mode = crop_mode_named(info.crop_mode, place + ": crop_mode"),
                     .filter = filter_named(info.interpolation, place + ": interpolation")};
  if (!info.mean.empty()) view.fill = border_fill(info.mean);
  return view;
}

EvalOptions eval_options_of(const ModelFolderInfo& info) {
  return {.mean = info.mean,
          .std = info.std,
          .height = info.height,
          .width = info.width,
          .view = view_of(info, "config.json")};
}

PictureRules settle_pictures(const DataConfig& data, const std::vector<Viewer>& viewers,
                             const PictureSurvey& survey, std::int64_t channels) {
  MGD_ASSERT(!viewers.empty());
  PictureRules rules;
  settle_size(data, viewers, survey, rules);
  for (const Viewer& viewer : viewers) refuse_other_size(viewer, rules);
  settle_view(data, viewers, survey, rules);
  settle_levels(data, viewers, channels, rules);
  if (data.mean.empty()) refuse_other_levels(viewers, channels, rules);
  if (data.image_size == 0) refuse_other_sizes(viewers, rules);
  rules.view.fill = border_fill(rules.mean);
  return rules;
}

std::vector<std::string> describe_pictures(const PictureRules& rules, const PictureSurvey& survey,
                                           std::int64_t channels) {
  std::vector<std::string> lines{fmt::format(
      "{:<10} {} x {} ({}), {}, crop {:g} {}{}", "input", channels, size_text(rules.size), rules.size_from,
      filter_name(rules.view.filter), rules.view.crop_pct, crop_mode_name(rules.view.mode),
      rules.view_from.empty() || rules.view_from == rules.size_from ? "" : " (" + rules.view_from + ")")};
  for (const std::string& line : {sizes_line(rules, survey), colour_line(survey, channels)})
    if (!line.empty()) lines.push_back(fmt::format("{:<10} {}", "pictures", line));
  return lines;
}

void note_rules(const PictureRules& rules, ModelFolderInfo& info) {
  info.height = rules.size.height;
  info.width = rules.size.width;
  info.crop_pct = rules.view.crop_pct;
  info.crop_mode = crop_mode_name(rules.view.mode);
  info.interpolation = filter_name(rules.view.filter);
  info.mean = rules.mean;
  info.std = rules.std;
  info.test_height = info.test_width = 0;
  info.test_crop_pct = 0;
}

}  // namespace mgd
