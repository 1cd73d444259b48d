// How a model that is measured or asked sees its pictures: the rules of a training (task/picture_rules.h)
// for one model and the options of a command.
#pragma once

#include <string>
#include <vector>

#include "mgd/task/open_model.h"
#include "mgd/task/picture_rules.h"

namespace mgd {

struct ModelInput {
  PictureRules rules;
  std::vector<std::string> lines;  // what the user is told
};

// `model` is the folder or file as it was named; `image_size` that of --image-size, 0 without it. Writes the
// size and the normalisation into `opened.info`. With `habit_only`, pictures of one size do not decide: what
// is said of a picture must not depend on what others were asked for in the same breath.
ModelInput settle_input(const std::string& model, std::int64_t image_size, const PictureSurvey& survey,
                        OpenedModel& opened, bool habit_only = false);

// How a model with that input is asked, in batches of the usual size and in fp32 on the CPU.
EvalOptions eval_options_of(const OpenedModel& opened, const ModelInput& input);

}  // namespace mgd
