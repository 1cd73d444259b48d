#include "mgd/cli/propose.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/square.h>

#include "mgd/cli/open_named_model.h"
#include "mgd/core/error.h"
#include "mgd/core/file.h"
#include "mgd/data/image_source.h"
#include "mgd/data/loader.h"
#include "mgd/eval/summary.h"
#include "mgd/model/input_habit.h"
#include "mgd/task/identify.h"

namespace mgd {

namespace {

DataConfig data_of(const ProposalRequest& request) {
  Node tree = Node::make_map();
  for (const std::string& assignment : request.changes) apply_override(tree, assignment);
  DataConfig data;
  if (const Node* given = tree.find("data")) read_options(*given, data, "data");
  data.path = request.data;
  return data;
}

ModelConfig config_of(const std::string& model) {
  const std::string path = fs::absolute(model).lexically_normal().string();
  if (fs::is_directory(model)) return {.path = path};
  refuse_foreign_teachers(model);
  std::vector<std::string> notes;
  const Identified found = identify(load_image_tensors(model, notes), model);
  return {.model = found.architecture, .weights = path, .width = found.width};
}

// The maps of the student as it will be, and of the teacher at its own size.
std::optional<ProposedTaps> look_for_taps(const ProposalFacts& facts, std::int64_t classes,
                                          std::int64_t channels, const ModelSummary& teacher) {
  const ProposedStudent chosen = proposed_student(facts);
  const OpenedModel student = open_model(
      {.model = chosen.architecture, .width = chosen.width},
      {.num_classes = classes, .in_channels = channels, .height = chosen.side, .width = chosen.side},
      "student");
  return propose_taps(summarize(*student.model, chosen.side, chosen.side), teacher);
}

// Of a map on a few training pictures.
double mean_square_of(const std::string& tap, OpenedModel& opened, const ImageSource& train,
                      std::int64_t side) {
  constexpr std::int64_t kPictures = 16;
  const InputHabit habit = input_habit(opened.info.architecture);
  const bool told = !opened.info.mean.empty();
  Loader loader(train, AugmentChain{},
                {.batch_size = std::min(kPictures, train.size()),
                 .shuffle = true,
                 .threads = 0,
                 .mean = told ? opened.info.mean : habit.mean,
                 .std = told ? opened.info.std : habit.std,
                 .height = side,
                 .width = side,
                 .cache_mb = 0});
  const at::NoGradGuard no_grad;
  Forward forward;
  forward.capture(tap);
  opened.model->forward(loader.next().micro.front().input, forward);
  return forward.captured().at(tap).square().mean().item<double>();
}

// The side that a model wants to see: its folder's, else its architecture's habit.
std::int64_t side_of(const OpenedModel& opened, bool is_folder) {
  if (is_folder && opened.info.height > 0) return opened.info.height;
  return input_habit(opened.info.architecture).height;
}

}  // namespace

ProposalFacts look_for_proposal(const ProposalRequest& request) {
  ProposalFacts facts{.data = fs::absolute(request.data).lexically_normal().string(),
                      .student = request.student};
  const std::string& model = request.teacher.empty() ? request.from : request.teacher;
  DataConfig data = data_of(request);
  OpenedModel opened;
  if (!model.empty()) {
    opened = open_named_model(model, "", /*allow_fresh=*/false, {}, HeadUse::teach);
    facts.answers = opened.no_logits.empty();
    if (const auto channels = opened.info.in_channels; channels == 1 || channels == 3)
      data.channels = channels;
  }
  const auto train = open_images(data, Split::train);
  facts.pictures = train->size();
  facts.labelled = !train->class_names().empty();
  if (!model.empty()) {
    facts.given = config_of(model);
    facts.side = side_of(opened, fs::is_directory(model));
    const ModelSummary summary = summarize(*opened.model, facts.side, facts.side);
    facts.given_parameters = summary.parameters;
    facts.given_macs = summary.macs;
    if (!request.teacher.empty())
      facts.taps =
          look_for_taps(facts, facts.labelled ? static_cast<std::int64_t>(train->class_names().size()) : 1,
                        train->channels(), summary);
    if (facts.taps) facts.taps->mean_square = mean_square_of(facts.taps->teacher, opened, *train, facts.side);
    return facts;
  }
  if (!request.student.empty()) {
    facts.side = input_habit(request.student).height;
    return facts;
  }
  const Image picture = train->image(0);
  constexpr std::int64_t kThumbnail = 64;
  facts.side = std::min(picture.height, picture.width) <= kThumbnail ? 32 : 224;
  return facts;
}

bool knows_the_classes(const ProposalRequest& request) {
  const auto train = open_images(data_of(request), Split::train);
  if (train->class_names().empty()) return true;
  const ModelDefaults defaults{.num_classes = static_cast<std::int64_t>(train->class_names().size()),
                               .in_channels = train->channels(),
                               .classes = {.use = HeadUse::teach, .data = train->class_names()}};
  return open_model(config_of(request.teacher), defaults, "teacher").no_logits.empty();
}

}  // namespace mgd
