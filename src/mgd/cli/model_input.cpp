#include "mgd/cli/model_input.h"

#include "mgd/core/file.h"

namespace mgd {

ModelInput settle_input(const std::string& model, std::int64_t image_size, const PictureSurvey& survey,
                        OpenedModel& opened, bool habit_only) {
  Viewer viewer{.role = "model", .place = model, .architecture = opened.info.architecture};
  if (fs::is_directory(model))
    viewer.folder = opened.info;
  else
    viewer.trained = !opened.source.empty();
  DataConfig asked;
  asked.image_size = image_size;
  const std::int64_t channels = opened.info.in_channels;
  ModelInput input;
  input.rules = settle_pictures(asked, {viewer}, habit_only ? PictureSurvey{} : survey, channels);
  input.rules.view.ready_as_is = !viewer.folder;
  input.lines = describe_pictures(input.rules, survey, channels);
  if (input.rules.view.ready_as_is && input.rules.view.crop_pct != 1)
    input.lines.push_back(fmt::format("{:<10} those that have this size are taken as they are", ""));
  const ModelFolderInfo& info = opened.info;
  const PictureSize test{.height = info.test_height, .width = info.test_width};
  if (viewer.folder && test.height > 0 && test != input.rules.size)
    input.lines.push_back(fmt::format("{:<10} test_input_size of {} is {} x {}; --image-size {} takes it", "",
                                      model, test.height, test.width, test.height));
  note_rules(input.rules, opened.info);
  return input;
}

EvalOptions eval_options_of(const OpenedModel& opened, const ModelInput& input) {
  return {.mean = opened.info.mean,
          .std = opened.info.std,
          .height = opened.info.height,
          .width = opened.info.width,
          .view = input.rules.view};
}

}  // namespace mgd
